import SessionLog
import Testing

@testable import Conversation

/// Tools that the client's program runs.
@Suite struct ClientToolTests {
    private static func agent(idempotent: Bool = false) -> AgentDefinition {
        var agent = AgentDefinition.tea
        agent.tools.append(ToolConfiguration(name: "map", implementation: .client, idempotent: idempotent, timeoutMilliseconds: 3_000))
        return agent
    }

    private func asked(_ call: SessionCall, _ id: String = "c1", greets: Bool = true) async throws {
        if greets { try await call.greeted() }
        try await call.says("Where are you?")
        await call.advance(400)
        try await call.model(.toolCall(ToolCall(id: id, name: "map", arguments: #"{"zoom":3}"#)))
        try await call.model(.finished(.toolCalls, TokenUsage()))
    }

    @Test func aCallIsStoredBeforeTheClientIsToldAndItsAnswerGoesToTheModel() async throws {
        try await SessionCall.run(Self.agent(), .init(holdsBack: true)) { call in
            try await asked(call)
            #expect(try await call.log().contains("tool_called c1 map"))
            #expect(!(try await call.lines()).contains { $0.hasPrefix("notice tool") })
            try await call.on { _ in call.journal.memory.store() }
            #expect(try await call.lines().contains(#"notice tool requested c1 map {"zoom":3}"#))
            try await call.receive(.toolResult(call: "c1", content: "Main Street"))
            #expect(try await call.log().last == "tool_returned c1 toolSucceeded Main Street")
            #expect(try await call.requests().last?.context.items.last?.line == "result c1 Main Street")
            expectOrder(try await call.lines(), ["notice tool requested c1", "notice tool ended c1 map", "llm request 2"])
            // Another owner may get it again: that is no mistake of the client.
            let mark = try await call.mark()
            try await call.receive(.toolResult(call: "c1", content: "Main Street"))
            #expect(try await call.lines(since: mark).isEmpty)
            #expect(!(try await call.lines()).contains { $0.hasPrefix("notice tool started") })
        }
    }

    @Test func aClientThatDoesNotAnswerIsNotWaitedForLongerThanTheToolsTimeout() async throws {
        try await SessionCall.run(Self.agent()) { call in
            try await asked(call)
            await call.advance(2_900)
            #expect(try await call.requests().count == 1)
            await call.advance(200)
            #expect(try await call.log().last == "tool_returned c1 toolUnknown the client did not answer within 3000 ms")
            #expect(try await call.requests().count == 2)
            try await call.receive(.toolResult(call: "c1", content: "late"))
            #expect(try await call.lines().last == "notice error no tool call 'c1' is waiting for the client")
        }
    }

    @Test func anAnswerThatNobodyWaitsForChangesNothing() async throws {
        try await SessionCall.run(Self.agent()) { call in
            try await call.greeted()
            let log = try await call.log()
            try await call.receive(.toolResult(call: "c9", content: "x"))
            #expect(try await call.lines().last == "notice error no tool call 'c9' is waiting for the client")
            #expect(try await call.log() == log)
        }
    }

    @Test func aClientDoesNotAnswerForAToolThatItDoesNotRun() async throws {
        try await SessionCall.run(Self.agent()) { call in
            try await call.greeted()
            try await call.says("Is it in stock?")
            await call.advance(400)
            try await call.model(.toolCall(ToolCall(id: "c1", name: "stock", arguments: "{}")))
            try await call.model(.finished(.toolCalls, TokenUsage()))
            try await call.until { call.tools.keys["c1"] != nil }
            try await call.receive(.toolResult(call: "c1", content: "forged"))
            #expect(!(try await call.log()).contains { $0.hasPrefix("tool_returned") })
        }
    }

    @Test func aResultThatIsTooLongIsAFailure() async throws {
        try await SessionCall.run(Self.agent()) { call in
            try await asked(call)
            try await call.receive(.toolResult(call: "c1", content: String(repeating: "x", count: 70_000)))
            #expect(try await call.log().last == "tool_returned c1 toolFailed the client's result has 70000 bytes; at most 65536 are taken")
        }
    }

    @Test func aCallThatTheClientRunsWhenTheConversationEndsHasAnOutcome() async throws {
        try await SessionCall.run(Self.agent()) { call in
            try await asked(call)
            try await call.receive(.hangUp)
            expectOrder(try await call.log(), ["tool_called c1", "tool_returned c1 toolUnknown", "closed hang_up"])
        }
    }

    @Test(arguments: [true, false]) func anotherOwnerAsksAgainOnlyWhereThatDoesNoHarm(isIdempotent: Bool) async throws {
        let agent = Self.agent(idempotent: isIdempotent)
        let events = Recorded()
        try await SessionCall.run(agent) { call in
            try await asked(call)
            events.list = try await call.on { [journal = call.journal] _ in journal.memory.events }
        }
        try await SessionCall.run(agent, .init(log: events.list)) { call in
            let requested = try await call.lines().contains { $0.hasPrefix("notice tool requested c1") }
            #expect(requested == isIdempotent)
            if isIdempotent {
                try await call.receive(.toolResult(call: "c1", content: "Main Street"))
                #expect(try await call.log().contains("tool_returned c1 toolSucceeded Main Street"))
            } else {
                #expect(try await call.log().contains("tool_returned c1 toolUnknown the worker died while it ran"))
            }
        }
    }

    private final class Recorded: @unchecked Sendable {
        var list: [Event] = []
    }
}
