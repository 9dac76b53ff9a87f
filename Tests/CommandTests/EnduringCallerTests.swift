import NIOCore
import PipecatBackend
import ProviderSimulator
import Testing

@testable import CallerSimulator

private let ms: Int64 = 1_000_000

@Suite struct ReturnPlanTests {
    @Test func aLostConnectionIsMadeAgainAtTheNextDispatcherUntilTheWindowIsOver() {
        var plan = ReturnPlan(targets: 2)
        plan.granted("prt_1", windowSeconds: 1)
        #expect(plan.lost(code: 1_006, at: 0) == .connect(target: 1, after: 20))
        #expect(plan.lost(code: 1_013, at: 100 * ms) == .connect(target: 0, after: 50))
        #expect(plan.lost(code: 1_006, at: 999 * ms) == .connect(target: 1, after: 100))
        #expect(plan.lost(code: 1_006, at: 1_000 * ms) == .giveUp)
    }

    @Test func whoIsBackHasAWholeWindowAgain() {
        var plan = ReturnPlan(targets: 1)
        plan.granted("prt_1", windowSeconds: 1)
        _ = plan.lost(code: 1_012, at: 0)
        plan.returned()
        #expect(plan.lost(code: 1_011, at: 5_000 * ms) == .connect(target: 0, after: 20))
    }

    @Test func withoutATokenOrAfterAnOrdinaryEndItIsOver() {
        var plan = ReturnPlan(targets: 2)
        #expect(plan.lost(code: 1_006, at: 0) == .giveUp)
        plan.granted("prt_1", windowSeconds: 30)
        #expect(plan.lost(code: 1_000, at: 0) == .giveUp)
        #expect(plan.lost(code: 4_003, at: 0) == .giveUp)
    }
}

/// Three lines and their answers.
func smallBook() throws -> ConversationBook {
    let texts = ["Good morning sir.", "Answer one here.", "Second reply follows now.", "Third thing told."]
    let speech = { (seed: Int) in
        CallerSpeech(
            "", samples: (0..<3_200).map { Int16(truncatingIfNeeded: ($0 &* 7_919 &+ seed &* 101) % 4_000) + 400 })
    }
    let lines = [
        ConversationBook.Line("First line.", speech: speech(1), answer: 1),
        .init("Second line.", speech: speech(2), answer: 2),
        .init("42", speech: nil, answer: 3),
    ]
    return try ConversationBook(lines: lines, texts: texts) { ToneVoice.burst($0, rate: 16_000) }
}

@Suite struct EndlessScriptTests {
    /// Plays the agent that answers at once, for `seconds`; returns what the caller did and when.
    private func converse(seed: UInt64, seconds: Int64, answers: Bool = true) throws -> [(EndlessScript.Action, Int64)]
    {
        let book = try smallBook()
        var script = EndlessScript(book, seed: seed, end: seconds * 1_000 * ms)
        var actions: [(EndlessScript.Action, Int64)] = []
        var now: Int64 = 0
        var due = book.words.indices.filter { book.words[$0].answer == 0 }
        _ = script.handle(.ready, now: 0)
        while script.state != .over, now < 600_000 * ms {
            now += 100 * ms
            var next = script.handle(.tick, now: now)
            if !due.isEmpty { next += script.handle(.word(due.removeFirst(), isWhole: true), now: now) }
            for action in next {
                actions.append((action, now))
                guard case .perform(let utterance) = action else { continue }
                _ = script.handle(.lineSaid, now: now)
                if answers {
                    due = book.words.indices.filter { book.words[$0].answer == book.lines[utterance.line].answer }
                }
            }
        }
        return actions
    }

    @Test func theSameSeedSaysTheSame() throws {
        let (a, b, c) = try (
            converse(seed: 1, seconds: 60), converse(seed: 1, seconds: 60), converse(seed: 2, seconds: 60)
        )
        #expect(a.map(\.0) == b.map(\.0) && a.map(\.1) == b.map(\.1))
        #expect(a.map(\.0) != c.map(\.0))
        #expect(a.count > 20 && a.last?.0 == .hangUp && (60_000 * ms..<63_000 * ms).contains(a.last?.1 ?? 0))
    }

    @Test func whatNobodyAnswersIsSaidAgain() throws {
        let actions = try converse(seed: 1, seconds: 30, answers: false)
        let attempts = actions.compactMap { if case .perform(let utterance) = $0.0 { utterance.attempt } else { nil } }
        #expect(attempts.prefix(4) == [1, 2, 3, 1])
        #expect(actions.last?.0 == .hangUp)
    }
}

@Suite struct WordListenerTests {
    private func hear(_ samples: [Int16]) throws -> [(String, Bool)] {
        let book = try smallBook()
        var listener = WordListener(book.fingerprints)
        var words: [(String, Bool)] = []
        let padded = samples + [Int16](repeating: 0, count: 17_000)
        for start in stride(from: 0, to: padded.count, by: 320) {
            listener.hear(Array(padded[start..<min(start + 320, padded.count)])) {
                words.append((book.words[$0.number].text, $0.isWhole))
            }
        }
        return words
    }

    @Test func wordsAreHeardInOrderAndWhole() throws {
        let words = try hear(ToneVoice.render("Answer one here.", rate: 16_000))
        #expect(words.map(\.0) == ["Answer", "one", "here."] && words.allSatisfy(\.1))
    }

    @Test func aWordThatStopsIsCutAndOneThatGoesOnIsWhole() throws {
        let word = ToneVoice.burst("follows", rate: 16_000)
        let pause = [Int16](repeating: 0, count: 8_000)
        let stopped = try hear(word.prefix(3_000) + pause + word)
        #expect(stopped.map(\.0) == ["follows", "follows"] && stopped.map(\.1) == [false, true])
        let wentOn = try hear(word.prefix(3_000) + pause + word.dropFirst(3_000))
        #expect(wentOn.map(\.0) == ["follows"] && wentOn.map(\.1) == [true])
    }

    @Test func aBookInWhichAWordIsTwiceIsRefused() {
        #expect(throws: ConversationBook.Ambiguous.self) {
            try ConversationBook(lines: [], texts: ["one two", "two three"]) { ToneVoice.burst($0, rate: 16_000) }
        }
    }
}

@Suite struct FrameSourcesTests {
    @Test func aSourceThatIsHeardAgainAfterItsSuccessorIsNoticed() {
        var sources = FrameSources()
        for frame: UInt64 in [1, 2, 3, 500, 501] { sources.hear(frame: frame, connection: 0, at: Int64(frame)) }
        for frame: UInt64 in [1, 2, 3, 4] { sources.hear(frame: frame, connection: 0, at: 600) }
        #expect(sources.sources.count == 3 && sources.returns.isEmpty)
        sources.hear(frame: 502, connection: 0, at: 700)
        #expect(sources.returns.map(\.frame) == [502])
    }

    @Test func framesThatARelayDroppedAreNoNewSource() {
        var sources = FrameSources()
        for frame: UInt64 in [1, 2, 20, 21] { sources.hear(frame: frame, connection: 0, at: 0) }
        sources.hear(frame: 1, connection: 1, at: 9)
        #expect(sources.sources.map(\.last) == [21, 1] && sources.returns.isEmpty)
    }

    @Test func theNumberOfAFrameIsRead() {
        var out = ByteBuffer()
        PipecatFrame.encodeAudio([1, 2, 3].span, sampleRate: 16_000, id: 300, into: &out)
        #expect(AudioFrameNumber.read(out) == 300)
        #expect(AudioFrameNumber.read(ByteBuffer(string: "x")) == 0)
    }
}
