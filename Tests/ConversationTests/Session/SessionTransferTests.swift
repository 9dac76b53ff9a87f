import SessionLog
import Testing

@testable import Conversation

/// The agent has its caller put through to somebody else.
@Suite struct SessionTransferTests {
    private static var operatorAgent: AgentDefinition {
        var agent = AgentDefinition.tea
        agent.transfers = [
            "reception": TransferTarget(uri: "tel:+4930123456", occasion: "the caller wants a person"),
            "shop": TransferTarget(uri: "sip:shop@example.com", occasion: "orders"),
        ]
        return agent
    }

    /// The model has said this, and asked for a transfer.
    private func asked(_ call: SessionCall, saying text: String = "I put you through. ", _ arguments: String = #"{"target":"reception"}"#) async throws {
        try await call.greeted()
        try await call.says("I want a person.")
        await call.advance(400)
        if !text.isEmpty { try await call.model(.text(text)) }
        try await call.model(.toolCall(ToolCall(id: "c1", name: "transfer", arguments: arguments)))
        try await call.model(.finished(.toolCalls, TokenUsage()))
    }

    private func answer(_ call: SessionCall, _ problem: String?) async throws {
        try await call.on { [media = call.media] _ in media.transferred?(problem) }
    }

    private func run(_ setup: SessionCall.Setup = .init(), _ body: (SessionCall) async throws -> Void) async throws {
        try await SessionCall.run(Self.operatorAgent, setup, body)
    }

    @Test func theCallerIsTransferredWhenTheAgentHasFinishedSpeaking() async throws {
        try await run { call in
            try await asked(call)
            let tool = try #require(try await call.requests().first?.tools.first { $0.name == "transfer" })
            #expect(tool.parametersSchema.contains(#""enum":["reception","shop"]"#) && !tool.parametersSchema.contains("+49"))
            #expect(tool.description.contains("'reception': the caller wants a person") && !tool.description.contains("+49"))
            await call.advance(500)
            #expect(!(try await call.lines()).contains { $0.hasPrefix("transfer") })
            await call.advance(1_500)
            #expect(try await call.lines().contains("transfer to tel:+4930123456"))
            #expect(try await call.endings().isEmpty)
            try await answer(call, nil)
            expectOrder(
                try await call.lines(),
                [
                    "log tool_called c1 transfer", "transfer to tel:+4930123456",
                    #"log tool_returned c1 toolSucceeded {"transferred":true}"#, "log heard 2 'I put you through.'", "log closed transferred",
                    "end transferred",
                ])
            #expect(try await call.requests().count == 1)
            #expect(try await call.endings() == [.transferred])
        }
    }

    @Test func aTransferWithoutWordsBeginsAtOnce() async throws {
        try await run { call in
            try await asked(call, saying: "", #"{"target":"shop"}"#)
            #expect(try await call.lines().contains("transfer to sip:shop@example.com"))
        }
    }

    @Test func nothingIsTransferredBeforeTheCallIsStored() async throws {
        try await run(.init(holdsBack: true)) { call in
            try await asked(call, saying: "")
            await call.advance(1_000)
            #expect(!(try await call.lines()).contains { $0.hasPrefix("transfer") })
            try await call.on { _ in call.journal.memory.store() }
            #expect(try await call.lines().contains { $0.hasPrefix("transfer") })
        }
    }

    @Test func whenItFailsTheAgentIsToldAndGoesOn() async throws {
        try await run { call in
            try await asked(call)
            await call.advance(2_000)
            try await answer(call, "486 Busy Here")
            #expect(try await call.requests().count == 2)
            #expect(
                try await call.requests().last?.context.items.map(\.line).last == "result c1 The caller was not transferred: 486 Busy Here.")
            try await call.answers("They are busy. Can I help you?")
            await call.advance(4_000)
            expectOrder(
                try await call.log(),
                ["tool_returned c1 toolFailed", "sentence 2.1 They are busy.", "heard 2 'I put you through. They are busy. Can I help you?' complete"])
            #expect(try await call.endings().isEmpty)
        }
    }

    @Test func aCallerWhoInterruptsKeepsTheAgent() async throws {
        try await run { call in
            try await asked(call, saying: "I put you through to my colleague at the reception now. ")
            await call.advance(500)
            try await call.receive(.text("Wait.", interrupts: true, speak: true))
            await call.advance(3_000)
            expectOrder(
                try await call.log(), ["tool_returned c1 toolCancelled the caller interrupted before the transfer began", "turn 2 'Wait.'", "reply 3 to 2"])
            #expect(!(try await call.lines()).contains { $0.hasPrefix("transfer") })
        }
    }

    @Test func whoLeavesForTheTransferIsTransferred() async throws {
        try await run { call in
            try await asked(call)
            await call.advance(2_000)
            try await call.on { $0.clientDisconnected("left the room") }
            #expect(try await call.endings().isEmpty)
            try await answer(call, nil)
            #expect(try await call.log().contains("closed transferred"))
            #expect(try await call.endings() == [.transferred])
        }
    }

    @Test func whoLeavesAndIsNotTransferredHasHungUp() async throws {
        try await run { call in
            try await asked(call)
            await call.advance(2_000)
            try await call.on { $0.clientDisconnected("left the room") }
            try await answer(call, "the caller has left")
            expectOrder(try await call.log(), ["tool_returned c1 toolFailed", "detached", "closed client_disconnected"])
            #expect(try await call.requests().count == 1)
        }
    }

    @Test func whoLeavesBeforeItBeginsHasHungUp() async throws {
        try await run { call in
            try await asked(call)
            await call.advance(500)
            try await call.on { $0.clientDisconnected("left the room") }
            expectOrder(try await call.log(), ["tool_returned c1 toolCancelled the call ended before it ran", "closed client_disconnected"])
        }
    }

    @Test func aBackendThatSaysNothingIsGivenUp() async throws {
        try await run { call in
            try await asked(call)
            await call.advance(63_000)
            #expect(try await call.log().contains { $0.hasPrefix("tool_returned c1 toolUnknown") })
        }
    }

    @Test(arguments: [
        (#"{"target":"+4930999"}"#, "there is no target '+4930999'; there are: reception, shop"),
        (#"{"to":"reception"}"#, #"the arguments of transfer must be like {"target": "name"}"#),
    ])
    func nobodyElseCanBeCalled(arguments: String, problem: String) async throws {
        try await run { call in
            try await asked(call, arguments)
            #expect(try await call.log().contains("tool_returned c1 toolFailed \(problem)"))
            #expect(try await call.requests().count == 2)
        }
    }

    @Test func anOwnerThatFindsItUnderWayDoesNotDoItAgain() async throws {
        try await run { call in
            try await asked(call)
            await call.advance(2_000)
            let log = try await call.on { [journal = call.journal] _ in journal.memory.events }
            try await SessionCall.run(Self.operatorAgent, .init(log: log, start: SessionStart(worker: "v", reason: "takeover", attachment: "a"))) { next in
                // Whether the caller has been transferred is not known, so it is not done again.
                expectOrder(try await next.log(), ["tool_returned c1 toolUnknown the worker died while it ran"])
                #expect(!(try await next.lines()).contains { $0.hasPrefix("transfer") })
            }
        }
    }

    // MARK: The agent file

    private func read(_ targets: String) throws(ConfigurationFileError) -> AgentDefinition {
        try AgentFile.read("agent: sales\npipeline: {llm: openai/x}\ntransfer_to: \(targets)\n", source: "a.yaml")
    }

    @Test func anAgentFileNamesItsTargets() throws {
        let agent = try read("{reception: {to: tel:+49-30-123456, when: the caller wants a person}, shop: {to: 'sips:shop@example.com;user=phone', when: orders}}")
        #expect(agent.transfers["reception"] == TransferTarget(uri: "tel:+49-30-123456", occasion: "the caller wants a person"))
        #expect(agent.transfers["shop"]?.uri == "sips:shop@example.com;user=phone")
    }

    @Test(arguments: [
        ("{reception: {to: '+4930123456', when: now}}", "transfer_to.reception.to: is '+4930123456'; must be like tel:+4930123456 or sip:user@host"),
        ("{reception: {to: 'tel:reception', when: now}}", "must be like"), ("{reception: {to: 'tel:;1', when: now}}", "must be like"),
        ("{reception: {to: 'sip:', when: now}}", "must be like"), ("{reception: {to: 'sip:a@', when: now}}", "must be like"),
        ("{reception: {to: 'sip:a@b>', when: now}}", "must be like"), ("{reception: {to: 'sip:a b@c', when: now}}", "must be like"),
        ("{reception: {to: 'https://a', when: now}}", "must be like"), ("{reception: {to: 'tel:+49301'}}", "misses the key 'when'"),
        ("{reception: 'tel:+49301'}", "must be a mapping"), ("{Reception: {to: 'tel:+49301', when: now}}", "names 'Reception'"),
        ("{reception: {to: 'tel:+49301', when: now, who: me}}", "unknown key 'who'"),
    ])
    func aBadTargetIsExplained(targets: String, problem: String) {
        let error = #expect(throws: ConfigurationFileError.self) { try read(targets) }
        #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
    }

    @Test func theToolIsNotNamedInTheFile() {
        let error = #expect(throws: ConfigurationFileError.self) {
            try AgentFile.read("agent: sales\npipeline: {llm: openai/x}\ntools: [transfer]\n", source: "a.yaml")
        }
        #expect(error?.description.contains("is 'transfer'; built-in tools are record_lead, end_call") == true)
    }
}
