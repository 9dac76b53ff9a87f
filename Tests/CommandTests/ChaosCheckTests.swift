import Testing

@testable import CallerSimulator
@testable import ParleyCommands

private let second: Int64 = 1_000_000_000

/// A call in which everything went well, to be spoiled: the greeting and two lines with their answers.
private struct GoodCall {
    let book: ConversationBook
    var call = CallRecord(caller: "7", isResumable: true)
    var session = ChaosSession(session: "s", caller: "7")
    var incidents: [ChaosIncident] = []
    var toolRuns: [ChaosToolRun] = []

    init() throws {
        book = try smallBook()
        call.connectedAt = 0
        call.readyAt = 0
        call.endedAt = 60 * second
        call.endedBy = "caller"
        hear(answer: 0, at: second)
        exchange(line: 0, at: 5 * second)
        exchange(line: 1, at: 15 * second)
        session.events = (1...20).map { .init(fence: 10, sequence: $0) }
    }

    /// A line, its turn, and its answer.
    mutating func exchange(line: Int, at time: Int64) {
        call.said.append(.init(line: line, startedAt: time, endedAt: time + second))
        call.told.append(.init(book.lines[line].text, at: time + second))
        session.turns.append(.init(number: session.turns.count + 1, text: book.lines[line].text))
        hear(answer: book.lines[line].answer, at: time + 2 * second)
    }

    mutating func hear(answer: Int, at time: Int64) {
        let words = book.words.indices.filter { book.words[$0].answer == answer }
        session.replies.append(
            .init(number: session.replies.count + 1, text: words.map { book.words[$0].text }.joined(separator: " ")))
        for (place, word) in words.enumerated() {
            let at = time + Int64(place) * second / 2
            call.played.append(.init(word: word, at: at, until: at + second / 3))
        }
    }

    /// The place of a word in what was played.
    func place(_ word: String) -> Int { call.played.firstIndex { book.words[$0.word].text == word } ?? -1 }

    var verdict: ChaosCheck.Verdict {
        ChaosCheck(
            evidence: ChaosEvidence(
                calls: [call], sessions: [session], toolRuns: toolRuns, incidents: incidents, idempotentTools: ["look"]),
            book: book
        ).verdict()
    }

    var violations: [ChaosViolation.Kind] { verdict.violations.map(\.kind) }
}

@Suite struct ChaosCheckTests {
    @Test func aGoodCallHasNoViolations() throws {
        let good = try GoodCall()
        #expect(good.verdict.violations.isEmpty, "\(good.verdict.violations)")
    }

    // MARK: Words of the agent

    @Test func aSkippedWordIsCaught() throws {
        var call = try GoodCall()
        call.call.played.remove(at: call.place("reply"))
        #expect(call.violations == [.skippedWords])
        #expect(call.verdict.violations.first?.detail == "reply 3: 'reply' was skipped before 'follows'")
    }

    @Test func anEndThatWasNotHeardIsCaught() throws {
        var call = try GoodCall()
        call.call.played.remove(at: call.place("here."))
        #expect(call.violations == [.skippedWords])
    }

    @Test func aBeginThatWasNotHeardIsCaught() throws {
        var call = try GoodCall()
        call.call.played.remove(at: call.place("Second"))
        #expect(call.violations == [.skippedWords])
    }

    @Test func aWordHeardTwiceIsAllowedAndOneHeardThreeTimesIsNot() throws {
        var call = try GoodCall()
        let place = call.place("reply")
        call.call.played.insert(call.call.played[place], at: place)
        #expect(call.violations == [])
        call.call.played[place].isWhole = false
        #expect(call.violations == [])
        call.call.played.insert(call.call.played[place], at: place)
        #expect(call.violations == [.repeatedWords])
    }

    @Test func twoWordsHeardAgainAreCaught() throws {
        var call = try GoodCall()
        let place = call.place("Second")
        call.call.played.insert(contentsOf: call.call.played[place...place + 1], at: place)
        #expect(call.violations == [.repeatedWords])
    }

    @Test func anInterruptedReplyNeedsNoEnd() throws {
        var call = try GoodCall()
        call.call.played.removeAll { call.book.words[$0.word].text == "here." }
        call.session.replies[1].isInterrupted = true
        #expect(call.violations == [])
    }

    @Test func theSameAnswerGivenTwiceIsNotARepetition() throws {
        var call = try GoodCall()
        call.exchange(line: 1, at: 25 * second)
        #expect(call.violations == [])
    }

    @Test func wordsThatAreInNoReplyAreCaught() throws {
        var call = try GoodCall()
        call.session.replies.removeLast()
        #expect(Set(call.violations) == [.unloggedWords])
    }

    // MARK: Turns

    @Test func aLostTurnIsCaught() throws {
        var call = try GoodCall()
        call.session.turns.removeLast()
        #expect(call.violations == [.lostTurn, .lostTurn], "told, and said")
        call.call.told.removeLast()
        #expect(call.violations == [.lostTurn])
    }

    @Test func aDoubledTurnIsCaught() throws {
        var call = try GoodCall()
        call.session.turns.append(.init(number: 3, text: "Second line."))
        #expect(call.violations == [.doubledTurn])
    }

    @Test func missingWordsAreCaught() throws {
        var call = try GoodCall()
        call.session.turns[1].text = "Second"
        call.call.told.removeLast()
        #expect(call.violations == [.cutTurn])
    }

    @Test func aTurnInTwoPartsIsWhole() throws {
        var call = try GoodCall()
        call.session.turns[1].text = "Second"
        call.session.turns.append(.init(number: 3, text: "line."))
        call.call.told = []
        #expect(call.violations == [])
    }

    @Test func turnsOutOfOrderAreCaught() throws {
        var call = try GoodCall()
        call.session.turns.swapAt(0, 1)
        #expect(call.violations.contains(.disorderedTurns) && call.violations.contains(.lostTurn))
    }

    // MARK: Answers

    @Test func anUnansweredUtteranceIsCaught() throws {
        var call = try GoodCall()
        call.call.said.append(.init(line: 2, manner: .digits, startedAt: 30 * second, endedAt: 30 * second))
        call.session.turns.append(.init(number: 3, text: "42"))
        #expect(call.violations == [.unanswered])
    }

    @Test func anUtteranceSaidAgainIsCaughtUnlessTheTableOfPromisesAllowsIt() throws {
        var call = try GoodCall()
        call.call.said.append(.init(line: 2, manner: .digits, startedAt: 30 * second, endedAt: 30 * second))
        call.exchange(line: 2, at: 38 * second)
        call.call.said[3].attempt = 2
        #expect(call.violations == [.saidAgain])
        let fault = ChaosFault(at: 0, kind: .killWorker, target: "media-worker-1", holds: 0)
        call.incidents = [ChaosIncident(fault: fault, from: 29 * second, to: 31 * second)]
        #expect(call.violations == [.saidAgain], "a worker's death is no excuse")
        call.incidents[0].fault.kind = .killDispatcher
        #expect(call.violations == [] && call.verdict.promised.map(\.kind) == [.saidAgain])
    }

    // MARK: Owners, tools, ends

    @Test func twoWorkersAreCaught() throws {
        var call = try GoodCall()
        for frame: UInt64 in [500, 501, 1, 2, 502] { call.call.sources.hear(frame: frame, connection: 0, at: second) }
        #expect(call.violations == [.twoWorkers])
    }

    @Test func aStaleFenceIsCaught() throws {
        var call = try GoodCall()
        call.session.events[10].fence = 11
        #expect(call.violations == [.staleFence])
        call.session.events = [.init(fence: 10, sequence: 1), .init(fence: 11, sequence: 1)]
        #expect(call.violations == [.staleFence])
    }

    @Test func aToolThatRanTwiceIsCaught() throws {
        func run(_ name: String, key: String, turn: Int) -> ChaosToolRun {
            .init(name: name, key: key, session: "s", turn: turn, at: second)
        }
        var call = try GoodCall()
        call.toolRuns = [
            run("send", key: "s/1", turn: 1), run("send", key: "s/2", turn: 2), run("look", key: "s/3", turn: 3),
            run("look", key: "s/3", turn: 3),
        ]
        #expect(call.violations == [])
        call.toolRuns.append(run("send", key: "s/1", turn: 1))
        #expect(call.violations == [.toolTwice, .toolTwice], "by its key and by its turn")
        call.toolRuns = [run("send", key: "s/1", turn: 1), run("send", key: "s/9", turn: 1)]
        #expect(call.violations == [.toolTwice], "with another key, for the same turn")
    }

    @Test func aToolThatIsSaidToHaveRunAndDidNotIsCaught() throws {
        var call = try GoodCall()
        call.session.toolCalls = [.init(call: "1", name: "send", outcome: "succeeded")]
        #expect(call.violations == [.toolUntold])
        call.toolRuns = [.init(name: "send", key: "s/1", session: "s", turn: 1, at: 0)]
        #expect(call.violations == [])
    }

    @Test func aSessionThatIsNotClosedIsCaught() throws {
        var call = try GoodCall()
        call.session.isClosed = false
        #expect(call.violations == [.unclosed])
        call.session.isClosed = true
        call.session.closeReason = ""
        #expect(call.violations == [.unclosed])
    }

    @Test func aLostCallIsCaughtUnlessItsDispatcherDiedAndItCannotComeBack() throws {
        var call = try GoodCall()
        call.call.endedBy = "error"
        call.call.gaps = [.init(lostAt: 50 * second, code: 1_006, reason: "")]
        #expect(call.violations == [.lostCall])
        let fault = ChaosFault(at: 0, kind: .killDispatcher, target: "dispatcher-1", holds: 0)
        call.incidents = [ChaosIncident(fault: fault, from: 50 * second, to: 51 * second)]
        #expect(call.violations == [.lostCall])
        call.call.isResumable = false
        #expect(call.violations == [])
    }
}

@Suite struct ChaosRecoveryTests {
    private func lines(_ call: GoodCall) -> [ChaosRecovery.Line] {
        let evidence = ChaosEvidence(calls: [call.call], sessions: [call.session], incidents: call.incidents)
        return ChaosRecovery(evidence: evidence, book: call.book).lines()
    }

    @Test func recoveryIsCountedFromTheDeathToTheFirstSignOfTheNewOwner() throws {
        var call = try GoodCall()
        call.session.claims = [
            .init(fence: 1, worker: "media-worker-1", at: 0),
            .init(fence: 2, worker: "media-worker-2", at: 17_400_000_000),
        ]
        call.call.activity = [.init(from: 0, to: 17_010_000_000), .init(from: 17_600_000_000, to: 30 * second)]
        let fault = ChaosFault(at: 0, kind: .killWorker, target: "media-worker-1", holds: 0)
        call.incidents = [ChaosIncident(fault: fault, from: 17 * second, to: 18 * second)]
        #expect(lines(call).map(\.recoveries) == [[600]] && lines(call).map(\.calls) == [1])
        call.incidents[0].fault.target = "media-worker-3"
        #expect(lines(call).map(\.calls) == [0])
        // Nobody spoke then: what counts is when the new owner was there.
        call.incidents[0].fault.target = "media-worker-1"
        call.incidents[0].from = 12 * second
        call.session.claims[1].at = 12_300_000_000
        #expect(lines(call).map(\.recoveries) == [[300]])
    }

    @Test func departuresFromADrainedWorkerAreCountedFromTheEndOfTheTurn() throws {
        var call = try GoodCall()
        let lastWord = try #require(call.call.played.last)
        let fault = ChaosFault(at: 0, kind: .drainWorker, target: "media-worker-1", holds: 0)
        call.session.claims = [
            .init(fence: 1, worker: "media-worker-1", at: 0),
            .init(fence: 2, worker: "media-worker-2", at: lastWord.until + 200_000_000),
        ]
        // While the caller says the last line.
        call.incidents = [ChaosIncident(fault: fault, from: 15 * second + second / 2, to: 30 * second)]
        #expect(lines(call).map(\.departures) == [[200]])
        // While the line before it was answered, if the last one was said into that answer.
        call.incidents[0].from = 7 * second + second / 10
        call.call.said[1].interrupts = true
        #expect(lines(call).map(\.departures) == [[200]])
        call.call.said[1].interrupts = false
        // Between two turns.
        call.incidents[0].from = 12 * second
        call.session.claims[1].at = 12 * second + second / 10
        #expect(lines(call).map(\.departures) == [[100]])
    }

    @Test func pausesInsideAnAnswerAreMeasured() throws {
        var call = try GoodCall()
        for index in call.place("reply")..<call.call.played.count {
            call.call.played[index].at += second
            call.call.played[index].until += second
        }
        let pauses = ChaosRecovery.pauses(of: call.call, call.book)
        #expect(pauses.count == 1 && (pauses[0].to - pauses[0].from) / 1_000_000 == 1_166)
    }
}
