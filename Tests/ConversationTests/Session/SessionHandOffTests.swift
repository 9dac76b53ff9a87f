import SessionLog
import Testing

@testable import Conversation

/// One agent hands the conversation to another one.
@Suite struct SessionHandOffTests {
    private static var sales: AgentDefinition {
        var agent = AgentDefinition.tea
        agent.handOffs = ["billing": "questions about invoices", "nobody": "never"]
        return agent
    }

    private static var billing: AgentDefinition {
        var agent = AgentDefinition(name: "billing", instructions: "Explain invoices.")
        agent.turnTaking.speculation = .off
        return agent
    }

    private func handOff(_ call: SessionCall, _ arguments: String) async throws {
        try await call.model(.toolCall(ToolCall(id: "c1", name: "hand_off", arguments: arguments)))
        try await call.model(.finished(.toolCalls, TokenUsage()))
    }

    private func run(_ body: (SessionCall) async throws -> Void) async throws {
        try await SessionCall.run(Self.sales, .init(models: 2, voices: 2, colleagues: [Self.billing])) { call in
            try await call.greeted()
            try await call.says("My invoice is wrong.")
            await call.advance(400)
            try await body(call)
        }
    }

    @Test func theOtherAgentTakesOverWhenTheFirstHasFinishedSpeaking() async throws {
        try await run { call in
            #expect(try await call.requests().first?.tools.map(\.name).contains("hand_off") == true)
            try await call.model(.text("I put you through. "))
            try await handOff(call, #"{"agent":"billing","reason":"a wrong invoice"}"#)
            #expect(!(try await call.log()).contains { $0.hasPrefix("handed_off") })
            await call.advance(2_000)
            try await call.answers("Hello, billing here.", 1)
            await call.advance(3_000)
            expectOrder(
                try await call.log(),
                [
                    "tool_called c1 hand_off", "tool_returned c1 toolSucceeded",
                    "heard 2 'I put you through.' complete",
                    "handed_off tea to billing h-billing", "reply 3 to 0", "sentence 3.0 Hello, billing here.",
                    "heard 3",
                ])
            #expect(try await call.lines().contains("tts fake/voice-1 3.0 Hello, billing here."))
            let request = try #require(try await call.requests(1).first)
            #expect(request.instructions == "Explain invoices.")
            #expect(request.tools.isEmpty)
            #expect(request.context.items.map(\.line).contains("user My invoice is wrong."))
            #expect(try await call.state().agentHash == "h-billing")
            #expect(try await call.requests().count == 1)
        }
    }

    @Test func anInterruptedHandOffHappensAndTheOtherAgentAnswers() async throws {
        try await run { call in
            try await call.model(.text("I put you through to my colleague now. "))
            try await handOff(call, #"{"agent":"billing"}"#)
            await call.advance(500)
            try await call.receive(.text("Be quick.", interrupts: true, speak: true))
            expectOrder(
                try await call.log(), ["heard 2", "handed_off tea to billing", "turn 2 'Be quick.'", "reply 3 to 2"])
            #expect(try await call.requests(1).count == 1)
        }
    }

    @Test(arguments: ["nobody", "tea", "sales"]) func whoIsNotThereCannotTakeOver(_ name: String) async throws {
        try await run { call in
            try await handOff(call, #"{"agent":"\#(name)"}"#)
            #expect(
                try await call.log().last
                    == "tool_returned c1 toolFailed there is no colleague '\(name)'; there are: billing")
            #expect(try await call.requests().count == 2)
        }
    }

    @Test func anAgentFileNamesItsColleagues() throws {
        let agent = try AgentFile.read(
            "agent: sales\npipeline: {llm: openai/x}\nhand_off_to:\n  billing: questions about invoices\n",
            source: "a.yaml")
        #expect(agent.handOffs == ["billing": "questions about invoices"])
        let error = #expect(throws: ConfigurationFileError.self) {
            try AgentFile.read(
                "agent: sales\npipeline: {llm: openai/x}\nhand_off_to: {sales: myself}\n", source: "a.yaml")
        }
        #expect(error?.description.contains("must be the names of other agents") == true)
    }
}
