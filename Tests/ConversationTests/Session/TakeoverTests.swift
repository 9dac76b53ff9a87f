import Audio
import NIOCore
import SessionLog
import Testing

@testable import Conversation

/// An owner dies without a word, and another one goes on from its log.
@Suite struct TakeoverTests {
    /// Runs a call up to a moment, then another owner with its log. Of the first one nothing is heard any more.
    private func takeOver(
        _ agent: AgentDefinition = .tea, delivered: ReplyNumber? = nil, losing lost: Int = 0, hasReplay: Bool = false,
        after first: (SessionCall) async throws -> Void, _ then: (SessionCall) async throws -> Void
    ) async throws {
        var setup = SessionCall.Setup()
        try await SessionCall.run(agent) { call in
            try await first(call)
            setup.log = call.journal.memory.events.dropLast(lost)
            if let delivered {
                let samples = try await call.on { [media = call.media] _ in media.samples[delivered] ?? 0 }
                setup.start.delivered = .init(reply: delivered, position: SessionTime(samples: Int64(samples)))
            }
        }
        setup.start.reason = "takeover"
        setup.start.hasReplay = hasReplay
        try await SessionCall.run(agent, setup, then)
    }

    private func answers(_ call: SessionCall) async throws {
        try await call.greeted()
        try await call.says("What do you sell?")
        await call.advance(400)
    }

    @Test func aSentenceThatWasCutIsSpokenAgainAndTheRestFollows() async throws {
        try await takeOver(delivered: 2) { call in
            try await answers(call)
            try await call.answers("We sell tea from many countries of the world. It is green.")
            await call.advance(1_000)
        } _: { (call: SessionCall) async throws in
            await call.advance(9_000)
            let lines = try await call.lines()
            #expect(lines.contains { $0.hasPrefix("tts") && $0.contains("2.0") })
            #expect(lines.contains("log heard 2 'We sell tea from many countries of the world. It is green.' complete"))
            // Nobody was asked for what the log has.
            #expect(try await call.requests().isEmpty)
            #expect(try await call.state().replies.allSatisfy(\.isFinished))
        }
    }

    @Test func theClientIsToldWhatWasSpokenOfAReplyThatGoesOn() async throws {
        try await takeOver(delivered: 2) { call in
            try await answers(call)
            try await call.answers("We sell tea. It is green and it comes from many countries of the world.")
            await call.advance(2_500)
        } _: { (call: SessionCall) async throws in
            #expect(try await call.lines().contains("notice resumed 2 'We sell tea.'"))
        }
    }

    @Test func anUnfinishedReplyIsContinuedByTheModel() async throws {
        try await takeOver(delivered: 2) { call in
            try await answers(call)
            try await call.model(.text("We sell tea from many countries. It is "))
            await call.advance(500)
        } _: { (call: SessionCall) async throws in
            let context = try #require(try await call.requests().first?.context)
            #expect(context.items.suffix(2).map(\.line) == ["assistant We sell tea from many countries.", "user \(ChatContext.continuation)"])
            try await call.answers("It is green.")
            await call.advance(6_000)
            #expect(try await call.log().contains("heard 2 'We sell tea from many countries. It is green.' complete"))
        }
    }

    @Test(arguments: ["END", "END.", "end"]) func aModelThatHasNothingToAddSaysSo(_ answer: String) async throws {
        try await takeOver(delivered: 2) { call in
            try await answers(call)
            try await call.model(.text("We sell tea from many countries. It is "))
            await call.advance(500)
        } _: { (call: SessionCall) async throws in
            try await call.answers(answer.uppercased())
            await call.advance(6_000)
            #expect(try await call.log().contains("heard 2 'We sell tea from many countries.' complete"))
        }
    }

    @Test func aTurnThatNobodyAnsweredIsAnswered() async throws {
        try await takeOver(losing: 1) { call in
            try await answers(call)
            #expect(try await call.log().last == "reply 2 to 1")
        } _: { (call: SessionCall) async throws in
            #expect(try await call.requests().first?.context.items.last?.line == "user What do you sell?")
            try await call.answers("Tea.")
            await call.advance(2_000)
            #expect(try await call.log().contains("heard 2 'Tea.' complete"))
        }
    }

    @Test func aGreetingIsSpokenToItsEndWithoutAModel() async throws {
        var agent = AgentDefinition.tea
        let greeting = (1...6).map { "This is sentence number \($0)." }
        agent.greeting = .init(say: greeting.joined(separator: " "))
        try await takeOver(agent, delivered: 1) { call in
            try await call.receive(.ready)
            await call.advance(500)
        } _: { (call: SessionCall) async throws in
            await call.advance(15_000)
            #expect(try await call.requests().isEmpty)
            #expect(try await call.log().contains("heard 1 '\(greeting.joined(separator: " "))' complete"))
        }
    }

    @Test func whatWasHeardWholeIsNotSaidAgain() async throws {
        try await takeOver(delivered: 2) { call in
            try await call.greeted()
            try await call.exchange("What do you sell?", "Tea.")
            #expect(try await call.log().last == "heard 2 'Tea.' complete")
        } _: { (call: SessionCall) async throws in
            await call.advance(3_000)
            #expect(!(try await call.lines()).contains { $0.hasPrefix("tts") })
            try await call.exchange("Which?", "Green.")
            #expect(try await call.log().contains("heard 3 'Green.' complete"))
        }
    }

    @Test func theLastWordsBeforeADeathCountAsHeardWhereTheyWereDelivered() async throws {
        try await takeOver(delivered: 2, losing: 1) { call in
            try await call.greeted()
            try await call.exchange("What do you sell?", "Tea.")
        } _: { (call: SessionCall) async throws in
            await call.advance(3_000)
            #expect(!(try await call.lines()).contains { $0.hasPrefix("tts") })
            #expect(try await call.log().contains("heard 2 'Tea.' complete"))
        }
    }

    @Test func theFloorIsAsItWas() async throws {
        try await takeOver(delivered: 2) { call in
            try await answers(call)
            try await call.answers("We sell tea from many countries of the world. It is green.")
            await call.advance(1_000)
        } _: { (call: SessionCall) async throws in
            // Into the agent's speech: an interruption, not a turn of its own while the agent goes on.
            try await call.says("Stop it please.")
            await call.advance(600)
            #expect(call.count("interruptions") == 1)
            #expect(try await call.log().contains { $0.hasPrefix("heard 2") && $0.hasSuffix("interrupted") })
        }
    }

    // MARK: Tools

    private static var callingTea: AgentDefinition {
        var agent = AgentDefinition.tea
        agent.tools.append(ToolConfiguration(name: "price", implementation: .http, idempotent: true, sideEffects: false))
        return agent
    }

    private func calls(_ tool: String, _ call: SessionCall) async throws {
        try await answers(call)
        try await call.model(.toolCall(ToolCall(id: "c1", name: tool, arguments: "{}")))
        try await call.model(.finished(.toolCalls, TokenUsage()))
        try await call.until { [tools = call.tools] in tools.keys["c1"] != nil }
    }

    @Test func aToolThatMayHaveRunIsNotRunAgain() async throws {
        try await takeOver(Self.callingTea) { try await calls("stock", $0) } _: { (call: SessionCall) async throws in
            #expect(call.tools.keys.isEmpty)
            #expect(try await call.log().contains { $0.hasPrefix("tool_returned c1 toolUnknown") })
            let context = try #require(try await call.requests().first?.context)
            #expect(context.items.contains { $0.line.contains("not known whether this ran") })
            try await call.answers("I could not check.")
            await call.advance(3_000)
            #expect(try await call.log().contains("heard 2 'I could not check.' complete"))
        }
    }

    @Test func anIdempotentToolRunsAgainWithTheSameKey() async throws {
        try await takeOver(Self.callingTea) { try await calls("price", $0) } _: { (call: SessionCall) async throws in
            try await call.until { [tools = call.tools] in tools.keys["c1"] != nil }
            #expect(call.tools.keys["c1"] == "s-1/c1")
            #expect(try await call.requests().isEmpty)
            call.tools.answer("c1", .init(.succeeded, content: "5"))
            try await call.awaits("llm request 1")
            try await call.answers("Five.")
            await call.advance(3_000)
            #expect(try await call.log().contains("heard 2 'Five.' complete"))
            #expect(try await call.log().filter { $0.hasPrefix("tool_called") }.isEmpty)
        }
    }

    @Test func aCallThatWasToEndEnds() async throws {
        try await takeOver(delivered: 2) { call in
            try await answers(call)
            try await call.model(.text("Goodbye, and thank you for calling us today."))
            try await call.model(.toolCall(ToolCall(id: "c1", name: "end_call", arguments: "{}")))
            try await call.model(.finished(.toolCalls, TokenUsage()))
            try await call.model(.finished(.stop, TokenUsage()))
            await call.advance(500)
        } _: { (call: SessionCall) async throws in
            try await call.answers("END")
            await call.advance(6_000)
            #expect(try await call.endings() == [.completed])
        }
    }

    // MARK: The caller's words

    @Test func replayedSpeechWaitsForItsWords() async throws {
        try await takeOver(hasReplay: true) { call in
            try await call.greeted()
            try await call.startsSpeaking()
            await call.advance(600)
        } _: { (call: SessionCall) async throws in
            // The replay: the VAD hears the end of speech long before the recogniser has the words.
            try await call.on { session in
                session.handle(.speechStarted(start: session.now))
                session.catchUp?.heldEnd = session.now
                session.replayEnded()
            }
            await call.advance(900)
            #expect(try await call.state().userTurns.isEmpty)
            try await call.hears(.final(Transcript(text: "What do you sell?", endsUtterance: true)))
            await call.advance(20)
            #expect(try await call.log().contains("turn 1 'What do you sell?'"))
        }
    }

    @Test func wordsThatNeverComeAreNotWaitedForForever() async throws {
        try await takeOver(hasReplay: true) { try await $0.greeted() } _: { (call: SessionCall) async throws in
            try await call.on { session in
                session.handle(.speechStarted(start: session.now))
                session.catchUp?.heldEnd = session.now
                session.replayEnded()
            }
            await call.advance(6_000)
            #expect(try await call.on { $0.catchUp == nil && $0.turns.isQuiet })
        }
    }

    // MARK: Every moment

    @Test(arguments: SessionEndTests.Moment.allCases) func everyMomentCanBeTakenOver(_ moment: SessionEndTests.Moment) async throws {
        try await takeOver(.speculatingTea, delivered: moment == .speaking ? 2 : nil) { call in
            try await SessionEndTests().reach(moment, call)
        } _: { (call: SessionCall) async throws in
            if moment == .waiting { try await call.receive(.ready) }
            await call.advance(3_000)
            // Whatever is still asked of the model is answered, and the conversation goes on.
            if try await !call.requests().isEmpty { try await call.answers("It is green.") }
            await call.advance(9_000)
            var lines = try await call.lines()
            let before = try await call.state()
            #expect(before.unfinishedReplies.isEmpty, "\(lines)")
            try await call.exchange("Do you have green tea?", "Yes, of course.")
            let state = try await call.state()
            lines = try await call.lines()
            #expect(state.lastTurn == before.lastTurn + 1)
            #expect(state.replies.last?.heard?.text == "Yes, of course.", "\(lines)")
            #expect(state.unansweredTurn == nil)
        }
    }

    // MARK: Leaving

    @Test func aDrainedSessionIsHandedOverWhenNobodySpeaks() async throws {
        try await SessionCall.run { call in
            try await answers(call)
            try await call.answers("We sell tea. It is green.")
            await call.advance(300)
            try await call.on { $0.handOver() }
            await call.advance(200)
            #expect(!(try await call.lines()).contains("hand over"))
            await call.advance(3_000)
            let lines = try await call.lines()
            #expect(lines.suffix(3) == ["stt close", "journal abandoned", "hand over"], "\(lines.suffix(6))")
            #expect(try await call.endings() == [.handedOver])
            #expect(!lines.contains { $0.hasPrefix("log closed") })
        }
    }

    @Test func aSessionThatIsNotStoredIsNotHandedOver() async throws {
        try await SessionCall.run(.tea, .init(holdsBack: true)) { call in
            try await call.greeted()
            try await call.on { $0.handOver() }
            await call.advance(3_000)
            #expect(try await call.endings().isEmpty)
            try await call.on { _ in call.journal.memory.store() }
            await call.advance(100)
            try await call.on { _ in call.journal.memory.store() }
            await call.advance(3_000)
            #expect(try await call.endings() == [.handedOver])
        }
    }

    @Test func aCallerWhoIsGoneIsWaitedForThenGivenUp() async throws {
        try await SessionCall.run { call in
            try await answers(call)
            try await call.answers("We sell tea. It comes from many countries of the world.")
            await call.advance(1_500)
            try await call.on { $0.detach("cut") }
            let mark = try await call.mark()
            let log = try await call.log()
            #expect(log.contains { $0.contains("goes on at 1") }, "\(log)")
            #expect(log.last == "detached")
            await call.advance(29_000)
            #expect(try await call.lines(since: mark).isEmpty)
            await call.advance(2_000)
            #expect(try await call.log().suffix(2) == ["closed client_disconnected", "closes"])
        }
    }

    @Test func wordsWithoutAnAnswerAreAnsweredWhenTheCallerIsBack() async throws {
        try await takeOver { call in
            try await call.greeted()
            try await call.says("What do you sell")
            try await call.on { $0.detach("cut") }
        } _: { (call: SessionCall) async throws in
            #expect(try await call.requests().first?.context.items.last?.line == "user What do you sell")
            try await call.answers("Tea.")
            await call.advance(2_000)
            #expect(try await call.log().contains("heard 2 'Tea.' complete"))
        }
    }

    @Test func messagesOfASilentCallerNeedNotBeKept() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.on { [media = call.media] _ in media.handled = 40 }
            await call.advance(1_600)
            #expect(try await call.lines().contains("release 40"))
            try await call.startsSpeaking()
            try await call.on { [media = call.media] _ in media.handled = 90 }
            await call.advance(5_000)
            #expect(!(try await call.lines()).contains("release 90"))
        }
    }

    @Test func aTurnIsReleasedWhenItIsStored() async throws {
        try await SessionCall.run(.tea, .init(holdsBack: true)) { call in
            try await call.greeted()
            try await call.on { [media = call.media] _ in
                call.journal.memory.store()
                media.handled = 40
            }
            try await call.says("What do you sell?")
            await call.advance(400)
            #expect(try await call.log().contains("turn 1 'What do you sell?'"))
            #expect(!(try await call.lines()).contains("release 40"))
            try await call.on { _ in call.journal.memory.store() }
            #expect(try await call.lines().contains("release 40"))
        }
    }
}
