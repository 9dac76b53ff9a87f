import SessionLog
import Testing

@testable import Conversation

/// Idle callers, hang-ups in every state, lost sessions.
@Suite struct SessionEndTests {
    enum Moment: String, CaseIterable {
        case waiting, greeting, listening, hearing, pausing, speculating, thinking, calling, speaking, paused, deaf,
            prompting
    }

    func reach(_ moment: Moment, _ call: SessionCall) async throws {
        if moment == .waiting { return }
        if moment == .greeting {
            try await call.receive(.ready)
            return await call.advance(300)
        }
        try await call.greeted()
        switch moment {
        case .waiting, .greeting, .listening: break
        case .hearing:
            try await call.startsSpeaking()
            await call.advance(300)
            try await call.hears(interim: "I want")
        case .pausing: try await call.says("I want")
        case .speculating: try await call.says("I want tea.")
        case .thinking: try await thinking(call)
        case .calling:
            try await thinking(call)
            try await call.model(.toolCall(ToolCall(id: "c1", name: "stock", arguments: "{}")))
            try await call.model(.finished(.toolCalls, TokenUsage()))
        case .speaking, .paused:
            try await thinking(call)
            try await call.model(.text("We sell tea from many countries. It is "))
            await call.advance(500)
            guard moment == .paused else { return }
            try await call.startsSpeaking()
            await call.advance(300)
        case .deaf: try await call.hears(.failed(.broken))
        case .prompting: await call.advance(15_200)
        }
    }

    private func thinking(_ call: SessionCall) async throws {
        try await call.says("What do you sell?")
        await call.advance(400)
    }

    @Test(arguments: Moment.allCases) func aHangUpEndsTheCallInEveryState(_ moment: Moment) async throws {
        try await SessionCall.run(.speculatingTea) { call in
            try await reach(moment, call)
            try await call.receive(.hangUp)
            try await expectOver(call, .hangUp)
            #expect(call.count("interruptions") == 0)
            let log = try await call.log()
            #expect(log.suffix(2) == ["closed hang_up", "closes"])
            // Whatever was said last is in the log, and no reply is left open.
            if moment == .hearing || moment == .pausing { #expect(log.contains("turn 1 'I want'")) }
            #expect(try await call.state().replies.filter { !$0.isFinished }.isEmpty)
        }
    }

    @Test(arguments: Moment.allCases) func aConnectionThatIsGoneEndsTheCallInEveryState(_ moment: Moment) async throws {
        try await SessionCall.run { call in
            try await reach(moment, call)
            try await call.on { $0.clientDisconnected("closed with 1001") }
            try await expectOver(call, .clientDisconnected)
            expectOrder(try await call.log(), ["detached", "closed client_disconnected", "closes"])
        }
    }

    @Test(arguments: Moment.allCases) func aLostSessionWritesNothingMore(_ moment: Moment) async throws {
        try await SessionCall.run(.speculatingTea) { call in
            try await reach(moment, call)
            let before = try await call.log()
            try await call.on { $0.lost() }
            try await expectOver(call, .lost)
            #expect(try await call.log() == before)
        }
    }

    /// Nothing that happens now is heard, told or written.
    private func expectOver(_ call: SessionCall, _ reason: EndReason) async throws {
        let mark = try await call.mark()
        try await call.model(.text("Late words. "))
        try await call.hears(final: "Late words.")
        call.tools.answer("c1", .init(.succeeded, content: "late"))
        try await call.receive(.text("Late words.", interrupts: true, speak: true))
        try await call.receive(.hangUp)
        try await call.on { session in
            session.clientDisconnected("again")
            session.lost()
        }
        await call.advance(20_000)
        #expect(try await call.lines(since: mark).isEmpty)
        #expect(try await call.endings() == [reason])
        #expect(try await call.on { _ in call.media.ends } == [reason])
    }

    @Test func anIdleCallerIsAskedTwiceAndThenTheCallEnds() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            await call.advance(70_000)
            #expect(
                try await call.log().filter { $0.contains("Are you still there?") && $0.hasPrefix("sentence") }.count
                    == 2)
            #expect(try await call.endings() == [.idle])
            #expect(try await call.log().suffix(2) == ["closed idle", "closes"])
        }
    }

    @Test func aCallerWhoTypesNowAndThenIsNotIdle() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            for _ in 0..<4 {
                await call.advance(20_000)
                try await call.receive(.text("I am here.", interrupts: true, speak: true))
                try await call.answers("Good.")
                await call.advance(2_000)
            }
            #expect(try await call.endings().isEmpty)
            #expect(
                try await call.log().filter { $0.hasPrefix("sentence") && $0.contains("Are you still there?") }.count
                    == 4)
        }
    }

    @Test func aClientThatIsNeverReadyIsNotSpokenToAndLetGo() async throws {
        try await SessionCall.run { call in
            await call.advance(50_000)
            let (endings, lines) = (try await call.endings(), try await call.lines())
            #expect(endings == [.idle])
            #expect(!lines.contains { $0.hasPrefix("audio") })
        }
    }

    @Test func aCallHasALongestDuration() async throws {
        var agent = AgentDefinition.tea
        agent.limits.maxDurationSeconds = 10
        try await SessionCall.run(agent) { call in
            try await call.greeted()
            await call.advance(7_500)
            #expect(try await call.endings().isEmpty)
            await call.advance(1_000)
            #expect(try await call.endings() == [.maxDuration])
        }
    }

    @Test func aClosedSessionLogsWhatWasHeardOfEveryReply() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.on { session in
                session.say("This is the first announcement.", kind: .say)
                session.say("This is the second announcement.", kind: .say)
            }
            await call.advance(1_000)
            try await call.on { $0.close(.shutdown) }
            expectOrder(try await call.log(), ["heard 2 'This is the", "heard 3 '' interrupted", "closed shutdown"])
        }
    }
}
