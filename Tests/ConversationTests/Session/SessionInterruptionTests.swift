import SessionLog
import Testing

@testable import Conversation

/// The caller speaks over the agent.
@Suite struct SessionInterruptionTests {
    /// The agent has been speaking for a second, its model still writes.
    private func speaking(_ call: SessionCall) async throws {
        try await call.greeted()
        try await call.says("What do you sell?")
        await call.advance(400)
        try await call.model(.text("We sell tea from many countries. It is very green. You "))
        await call.advance(1_000)
    }

    @Test func bargeInStopsModelVoiceAndPlayoutAndWhatWasNotHeardIsForgotten() async throws {
        try await SessionCall.run { call in
            try await speaking(call)
            let mark = try await call.mark()
            try await call.startsSpeaking()
            await call.advance(300)
            #expect(try await call.lines(since: mark) == ["clear 2"])
            try await call.hears(final: "Stop, I want coffee.")
            await call.advance(60)
            try await call.stopsSpeaking()
            let lines = try await call.lines(since: mark)
            expectOrder(
                lines, ["clear 2", "llm cancel 1", "tts cancel 2", "log heard 2", "clear 2", "notice interrupted 2"])
            #expect(!lines.contains("audio 2"))
            let heard = try #require(try await call.state().reply(2))
            #expect(heard.isInterrupted)
            #expect(heard.textForContext == "We sell tea from")
            await call.advance(400)
            #expect(
                try await call.requests().last?.context.items.map(\.line).suffix(2) == [
                    "assistant We sell tea from (interrupted)", "user Stop, I want coffee.",
                ])
            #expect(call.count("interruptions") == 1)
            // What a dead model or voice still says is nobody's business.
            try await call.model(.text("more."))
            #expect(!(try await call.lines(since: mark)).contains("audio 2"))
        }
    }

    @Test func aBackchannelPausesAndTheReplyGoesOnWhereItWas() async throws {
        try await SessionCall.run { call in
            try await speaking(call)
            try await call.model(.finished(.stop, TokenUsage()))
            try await call.startsSpeaking()
            await call.advance(300)
            try await call.stopsSpeaking()
            try await call.hears(final: "mhm")
            await call.advance(6_000)
            let log = try await call.log()
            #expect(log.contains("heard 2 'We sell tea from many countries. It is very green. You' complete"))
            #expect(log.filter { $0.hasPrefix("turn") } == ["turn 1 'What do you sell?'"])
            #expect(call.count("utterances_ignored") == 1)
            #expect(call.count("interruptions") == 0)
        }
    }

    /// The client takes an order to drop audio for an interruption.
    private func cannotDropQuietly(_ call: SessionCall) async throws {
        try await call.on { [media = call.media] _ in media.dropsQuietly = false }
    }

    /// Samples of the reply that were sent.
    private func sent(_ reply: ReplyNumber, _ call: SessionCall) async throws -> Int {
        try await call.on { [media = call.media] _ in media.samples[reply] ?? 0 }
    }

    @Test func aClientThatCannotDropQuietlyHearsOfNoPause() async throws {
        try await SessionCall.run { call in
            try await cannotDropQuietly(call)
            try await speaking(call)
            try await call.model(.finished(.stop, TokenUsage()))
            let mark = try await call.mark()
            let before = try await sent(2, call)
            try await call.startsSpeaking()
            await call.advance(300)
            // What it has is heard, nothing more is sent, and nothing of it again.
            let paused = try await sent(2, call)
            #expect(paused - before <= 4_800)
            await call.advance(300)
            #expect(try await sent(2, call) == paused)
            try await call.stopsSpeaking()
            try await call.hears(final: "mhm")
            await call.advance(6_000)
            let lines = try await call.lines(since: mark)
            #expect(!lines.contains { $0.hasPrefix("clear") })
            let whole = try #require(try await call.state().reply(2)?.heard)
            #expect(whole.text == "We sell tea from many countries. It is very green. You" && whole.complete)
            #expect(try await sent(2, call) == Int(whole.samples))
        }
    }

    @Test func aClientThatCannotDropQuietlyIsToldOfTheInterruption() async throws {
        try await SessionCall.run { call in
            try await cannotDropQuietly(call)
            try await speaking(call)
            let mark = try await call.mark()
            try await call.startsSpeaking()
            await call.advance(600)
            try await call.hears(final: "Stop, I want coffee.")
            await call.advance(60)
            let lines = try await call.lines(since: mark)
            expectOrder(lines, ["llm cancel 1", "log heard 2", "clear 2", "notice interrupted 2"])
            #expect(lines.filter { $0 == "clear 2" }.count == 1)
            // It played what it had.
            let heard = try #require(try await call.state().reply(2)?.heard)
            #expect(try await sent(2, call) == Int(heard.samples))
        }
    }

    @Test func aBackchannelChangesNothingWhereShortSpeechIsIgnored() async throws {
        var agent = AgentDefinition.tea
        agent.turnTaking.interruption = .ignoreShort
        try await SessionCall.run(agent) { call in
            try await speaking(call)
            try await call.model(.finished(.stop, TokenUsage()))
            let mark = try await call.mark()
            try await call.says("mhm")
            await call.advance(6_000)
            #expect(!(try await call.lines(since: mark)).contains { $0.hasPrefix("clear") })
            #expect(try await call.state().userTurns.count == 1)
        }
    }

    @Test func theSentenceIsFinishedWhereTheAgentSaysSo() async throws {
        var agent = AgentDefinition.tea
        agent.turnTaking.interruption = .finishSentence
        try await SessionCall.run(agent) { call in
            try await speaking(call)
            try await call.startsSpeaking()
            await call.advance(400)
            try await call.stopsSpeaking()
            try await call.hears(final: "Stop, I want coffee.")
            await call.advance(3_000)
            let log = try await call.log()
            #expect(log.contains("heard 2 'We sell tea from many countries.' interrupted"))
            #expect(!log.contains { $0.hasPrefix("sentence 2.2") })
            #expect(try await call.lines().contains("llm cancel 1"))
            #expect(log.contains("turn 2 'Stop, I want coffee.'"))
        }
    }

    @Test func anInterruptionStopsRepliesThatWaitBehindTheOneThatIsHeard() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.on { session in
                session.say("This is the first announcement.", kind: .say)
                session.say("This is the second announcement.", kind: .say)
            }
            await call.advance(1_000)
            try await call.receive(.text("Be quiet.", interrupts: true, speak: true))
            await call.advance(5_000)
            #expect(!(try await call.lines()).contains("audio 3"))
            #expect(try await call.log().contains("heard 3 '' interrupted"))
            #expect(try await call.state().reply(3)?.textForContext == "")
        }
    }

    @Test func anUninterruptibleGreetingIsHeardToItsEnd() async throws {
        var agent = AgentDefinition.tea
        agent.greeting = .init(say: "This call is recorded for training.", interruptible: false)
        try await SessionCall.run(agent) { call in
            try await call.receive(.ready)
            await call.advance(300)
            try await call.says("Stop it at once please")
            await call.advance(3_000)
            #expect(try await call.log().contains("heard 1 'This call is recorded for training.' complete"))
            #expect(!(try await call.lines()).contains { $0.hasPrefix("clear") })
        }
    }

    @Test func whoGoesOnBeforeTheAnswerIsHeardIsAnsweredOnce() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.says("What do you sell?")
            await call.advance(400)
            #expect(try await call.requests().count == 1)
            try await call.says("I mean in winter.")
            await call.advance(400)
            try await call.answers("Hot tea.")
            await call.advance(2_000)
            let log = try await call.log()
            expectOrder(
                log,
                [
                    "turn 1", "reply 2 to 1", "heard 2 '' interrupted", "turn 2 'I mean in winter.'", "reply 3 to 2",
                    "heard 3 'Hot tea.' complete",
                ])
            #expect(try await call.lines().contains("llm cancel 1"))
            #expect(
                try await call.requests().last?.context.items.map(\.line).suffix(2) == [
                    "user What do you sell?", "user I mean in winter.",
                ])
        }
    }
}
