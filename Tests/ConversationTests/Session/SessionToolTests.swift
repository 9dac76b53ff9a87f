import SessionLog
import Testing

@testable import Conversation

/// Tools: stored before they run, and their results go back to the model.
@Suite struct SessionToolTests {
    private func asked(_ call: SessionCall) async throws {
        try await call.greeted()
        try await call.says("Is it in stock?")
        await call.advance(400)
    }

    private func calls(_ call: SessionCall, _ id: String = "c1", _ name: String = "stock", _ arguments: String = "{}")
        async throws
    {
        try await call.model(.toolCall(ToolCall(id: id, name: name, arguments: arguments)))
        try await call.model(.finished(.toolCalls, TokenUsage()))
    }

    @Test func aCallIsStoredBeforeItRunsAndItsResultGoesToTheModel() async throws {
        try await SessionCall.run(.tea, .init(holdsBack: true)) { call in
            try await asked(call)
            try await call.model(.text("Let me look. "))
            try await calls(call)
            #expect(try await call.log().contains("tool_called c1 stock"))
            await call.advance(100)
            #expect(call.tools.keys.isEmpty)
            try await call.on { _ in call.journal.memory.store() }
            try await call.until { call.tools.keys == ["c1": "s-1/c1"] }
            call.tools.answer("c1", .init(.succeeded, content: "12"))
            try await call.awaits("llm request 2")
            try await call.answers("There are twelve.")
            try await call.on { _ in call.journal.memory.store() }
            await call.advance(4_000)
            #expect(
                try await call.requests().last?.context.items.map(\.line).suffix(4) == [
                    "user Is it in stock?", "assistant Let me look.", "call c1 stock {}", "result c1 12",
                ])
            expectOrder(
                try await call.log(),
                [
                    "sentence 2.0 Let me look.", "tool_called c1 stock", "tool_returned c1 toolSucceeded 12",
                    "sentence 2.1 There are twelve.",
                ])
            expectOrder(try await call.lines(), ["notice tool started c1 stock", "notice tool ended c1 stock"])
        }
    }

    @Test func aSpeculationCallsNoToolBeforeItIsCommitted() async throws {
        try await SessionCall.run(.speculatingTea) { call in
            try await call.greeted()
            try await call.says("Is it in stock?")
            try await calls(call)
            #expect(!(try await call.log()).contains { $0.hasPrefix("tool_called") })
            await call.advance(400)
            expectOrder(try await call.log(), ["turn 1", "reply 2", "tool_called c1 stock"])
            try await call.until { call.tools.keys["c1"] != nil }
        }
    }

    @Test func theResultOfAnInterruptedReplyIsRecorded() async throws {
        try await SessionCall.run { call in
            try await asked(call)
            try await calls(call)
            try await call.until { call.tools.keys["c1"] != nil }
            try await call.receive(.text("Never mind.", interrupts: true, speak: true))
            #expect(
                try await call.requests().last?.context.items.map(\.line).contains("result c1 still running") == true)
            call.tools.answer("c1", .init(.succeeded, content: "12"))
            try await call.awaits("log tool_returned")
            #expect(try await call.log().last == "tool_returned c1 toolSucceeded 12")
            #expect(try await call.requests().count == 2)
        }
    }

    @Test func aLogThatCannotBeReachedLetsNoToolRunAndTheCallerIsAnswered() async throws {
        try await SessionCall.run(.tea, .init(holdsBack: true)) { call in
            try await asked(call)
            try await calls(call)
            await call.advance(5_100)
            #expect(
                try await call.log().last
                    == "tool_returned c1 toolFailed It was not run, because it could not be recorded.")
            #expect(try await call.requests().count == 2)
            try await call.on { _ in call.journal.memory.store() }
            await call.advance(100)
            #expect(call.tools.keys.isEmpty)
        }
    }

    @Test func callsWithTheSameIDAreToldApart() async throws {
        try await SessionCall.run { call in
            try await asked(call)
            for (id, content) in [("c1", "12"), ("c1_1", "13")] {
                try await calls(call)
                try await call.until { call.tools.keys[id] != nil }
                call.tools.answer(id, .init(.succeeded, content: content))
                try await call.awaits("log tool_returned \(id) ")
            }
            #expect(
                try await call.requests().last?.context.items.map(\.line).suffix(4) == [
                    "call c1 stock {}", "result c1 12", "call c1_1 stock {}", "result c1_1 13",
                ])
        }
    }

    @Test func aModelThatOnlyCallsToolsIsStopped() async throws {
        try await SessionCall.run { call in
            try await asked(call)
            for _ in 0..<4 { try await calls(call, "r", "record_lead", #"{"name":"Ann"}"#) }
            let requests = try await call.requests()
            #expect(requests.map(\.tools.isEmpty) == [false, false, false, true])
            await call.advance(200)
            #expect(try await call.log().filter { $0.hasPrefix("tool_called") }.count == 3)
            #expect(try await call.lines().contains("audio 2"))
        }
    }

    @Test func anUnknownToolIsToldToTheModel() async throws {
        try await SessionCall.run { call in
            try await asked(call)
            try await calls(call, "c1", "weather")
            #expect(try await call.log().last == "tool_returned c1 toolFailed Unknown function: weather")
            #expect(try await call.requests().count == 2)
        }
    }

    @Test func recordLeadFillsTheRecord() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.says("I am Ann Lee, and money is a secret")
            await call.advance(800)
            try await calls(call, "c1", "record_lead", #"{"name":"Ann Lee","refused":["budget"]}"#)
            expectOrder(
                try await call.log(),
                [
                    "tool_called c1 record_lead", "slot name 'Ann Lee' by tool", "slot budget refused",
                    "tool_returned c1 toolSucceeded",
                ])
            let slots = try await call.state().slots(of: "lead")
            #expect(slots["name"]?.words == "I am Ann Lee, and money is a secret")
            #expect(slots["name"]?.turn == 1)
            #expect(slots["budget"]?.refused == true)
        }
    }

    @Test func malformedArgumentsAreToldToTheModel() async throws {
        try await SessionCall.run { call in
            try await asked(call)
            try await calls(call, "c1", "record_lead", "Ann")
            #expect(
                try await call.log().last
                    == "tool_returned c1 toolFailed the arguments of record_lead must be a JSON object")
        }
    }

    @Test func endCallEndsTheCallAfterTheGoodbyeWasHeard() async throws {
        try await SessionCall.run { call in
            try await asked(call)
            try await call.model(.text("Goodbye then. "))
            try await calls(call, "c1", "end_call")
            try await call.answers("")
            await call.advance(500)
            #expect(try await call.endings().isEmpty)
            await call.advance(1_500)
            #expect(try await call.endings() == [.completed])
            expectOrder(try await call.log(), ["heard 2 'Goodbye then.' complete", "closed completed", "closes"])
        }
    }

    @Test func toolsThatRunWhenTheCallEndsHaveAnOutcomeInTheLog() async throws {
        try await SessionCall.run { call in
            try await asked(call)
            try await calls(call)
            try await call.until { call.tools.keys["c1"] != nil }
            try await call.receive(.hangUp)
            expectOrder(try await call.log(), ["tool_called c1", "tool_returned c1 toolUnknown", "closed hang_up"])
            try await call.until { call.tools.keys["c1"] != nil }
            #expect(try await call.log().last == "closes")
        }
    }
}
