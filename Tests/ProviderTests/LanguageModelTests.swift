import Conversation
import NIOCore
import ProviderSimulator
import Testing

/// What came of a generation, in short.
private struct Outcome {
    var text = ""
    var pieces = 0
    var calls: [ToolCall] = []
    var reason: FinishReason?
    var usage: TokenUsage?
    var error: ProviderError?
}

private func generate(_ model: any LanguageModel, _ request: GenerationRequest) async throws -> Outcome {
    let log = EventLog<GenerationEvent>()
    let holder = OnLoop<any Generation>()
    try await holder.run { $0 = model.generate(request, on: loop) { log.add($0) } }
    let events = await log.collect {
        switch $0 {
        case .finished, .failed: true
        default: false
        }
    }
    var outcome = Outcome()
    for (index, event) in events.enumerated() {
        if case .requested = event { #expect(index == 0) }
        if case .text(let text) = event {
            outcome.text += text
            outcome.pieces += 1
        }
        if case .toolCall(let call) = event { outcome.calls.append(call) }
        if case .finished(let reason, let usage) = event { (outcome.reason, outcome.usage) = (reason, usage) }
        if case .failed(let error) = event { outcome.error = error }
    }
    return outcome
}

private func request(_ text: String, tools: [ToolDefinition] = [], deadline: Int = 5_000) -> GenerationRequest {
    GenerationRequest(
        session: "s1", instructions: "Be brief.", context: ChatContext([.message(ChatMessage(.user, text))]),
        tools: tools,
        firstTokenDeadlineMilliseconds: deadline)
}

private let recordLead = ToolDefinition(
    name: "record_lead", description: "Notes a lead.",
    parametersSchema: #"{"type":"object","properties":{"name":{"type":"string"}}}"#)

@Suite(.timeLimit(.minutes(1)), .serialized) struct LanguageModelTests {
    static let names = ["openai/gpt-4o-mini", "anthropic/claude-haiku"]

    @Test(arguments: names) func streamsAnAnswerWithUsage(name: String) async throws {
        try await withSimulator { simulator in
            let model = try makeRegistry().languageModel(simulator.configuration(name))
            let outcome = try await generate(model, request("Hello"))
            #expect(outcome.text == "Thanks for calling, may I ask for your name?")
            #expect(outcome.pieces == 9)
            #expect(outcome.reason == .stop)
            #expect((outcome.usage?.output ?? 0) == 9 && (outcome.usage?.input ?? 0) > 0)
        }
    }

    @Test(arguments: names) func callsToolsAndTakesTheirResults(name: String) async throws {
        try await withSimulator {
            $0.language.rules = [
                LanguageRule(
                    "my name is", answer: "One moment.",
                    calls: [.init("record_lead", #"{"name":"Zoë \"Z\" Müller"}"#), .init("record_lead", "{}")],
                    afterCalls: "Noted.")
            ]
        } _: { simulator in
            let model = try makeRegistry().languageModel(simulator.configuration(name))
            var asked = request("Well, my name is Zoë.", tools: [recordLead])
            let first = try await generate(model, asked)
            #expect(first.text == "One moment.")
            #expect(first.reason == .toolCalls)
            #expect(first.calls.map(\.arguments) == [#"{"name":"Zoë \"Z\" Müller"}"#, "{}"])
            asked.context.append(ChatMessage(.assistant, first.text))
            for call in first.calls { asked.context.append(call) }
            // The second call's result never came: the vendor must be told something all the same.
            asked.context.append(ToolResult(callID: first.calls[0].id, name: "record_lead", content: "ok"))
            let second = try await generate(model, asked)
            #expect(second.error == nil)
            #expect(second.text == "Noted.")
        }
    }

    @Test(arguments: names) func aBadKeyNamesTheVariableAndIsNotRetried(name: String) async throws {
        try await withSimulator { simulator in
            let model = try makeRegistry().languageModel(simulator.configuration(name, key: "wrong"))
            let error = try #require(try await generate(model, request("Hello")).error)
            #expect(error.category == .authentication && error.status == 401)
            #expect(error.message.contains(name.hasPrefix("openai") ? "OPENAI_API_KEY" : "ANTHROPIC_API_KEY"))
            #expect(!"\(error)".contains("wrong"))
        }
    }

    @Test(arguments: names) func overloadAndBrokenConnectionsAreRetriedBeforeTheFirstToken(name: String) async throws {
        try await withSimulator { simulator in
            let vendor: SimulatedVendor = name.hasPrefix("openai") ? .openai : .anthropic
            simulator.play([.status(503, retryAfter: nil), .refuse], on: vendor)
            let model = try makeRegistry().languageModel(simulator.configuration(name))
            let outcome = try await generate(model, request("Hello"))
            #expect(outcome.reason == .stop)
            #expect(simulator.statistics.requests[vendor.rawValue] == 3)
        }
    }

    @Test(arguments: names) func aLongRetryAfterFailsAtOnceSoThatAFallbackCanAnswer(name: String) async throws {
        try await withSimulator { simulator in
            let vendor: SimulatedVendor = name.hasPrefix("openai") ? .openai : .anthropic
            simulator.play([.status(429, retryAfter: 20)], on: vendor)
            let model = try makeRegistry().languageModel(simulator.configuration(name))
            let error = try #require(try await generate(model, request("Hello")).error)
            #expect(error.category == .rateLimited && error.retryAfterMilliseconds == 20_000)
            #expect(simulator.statistics.requests[vendor.rawValue] == 1)
        }
    }

    @Test(arguments: names, [Fault.reset(after: 30), .garbage(after: 30), .midStreamError(after: 30)])
    func aBreakAfterTheFirstTokenFailsWithoutASecondTry(name: String, fault: Fault) async throws {
        try await withSimulator {
            $0.language.perToken = .fixed(20)
        } _: { simulator in
            let vendor: SimulatedVendor = name.hasPrefix("openai") ? .openai : .anthropic
            simulator.play([fault], on: vendor)
            let model = try makeRegistry().languageModel(simulator.configuration(name))
            let outcome = try await generate(model, request("Hello"))
            #expect(outcome.text.hasPrefix("Thanks"))
            #expect(outcome.error != nil && outcome.reason == nil)
            #expect(simulator.statistics.requests[vendor.rawValue] == 1)
        }
    }

    @Test(arguments: names) func silenceRunsIntoTheFirstTokenDeadline(name: String) async throws {
        try await withSimulator { simulator in
            let vendor: SimulatedVendor = name.hasPrefix("openai") ? .openai : .anthropic
            simulator.play([.stall(after: 0)], on: vendor)
            let model = try makeRegistry().languageModel(simulator.configuration(name))
            let outcome = try await generate(model, request("Hello", deadline: 60))
            #expect(outcome.error?.category == .timeout)
        }
    }

    @Test(arguments: names) func nothingComesAfterACancel(name: String) async throws {
        try await withSimulator {
            $0.language.perToken = .fixed(5)
        } _: { simulator in
            let model = try makeRegistry().languageModel(simulator.configuration(name))
            let log = EventLog<GenerationEvent>()
            let holder = OnLoop<any Generation>()
            try await holder.run { $0 = model.generate(request("Hello"), on: loop) { log.add($0) } }
            _ = await log.collect { if case .text = $0 { true } else { false } }
            let before = try await holder.run {
                $0?.cancel()
                return log.count
            }
            // Another generation runs to its end in the meantime; the first has added nothing.
            _ = try await generate(model, request("Hello"))
            #expect(log.count == before)
        }
    }

    @Test func misspeltOptionsAndMissingKeysAreNamed() throws {
        let registry = makeRegistry()
        let keys: @Sendable (String) -> String? = { $0.hasSuffix("KEY") ? "k" : nil }
        for name in ["openai/gpt-4o", "anthropic/claude", "deepgram/nova-3", "elevenlabs", "cartesia"] {
            let bad = ProviderConfiguration(name, options: ["temprature": "1"], environment: keys)
            let none = ProviderConfiguration(name)
            for (configuration, word) in [(bad, "temprature"), (none, "_API_KEY")] {
                let error = #expect(throws: ProviderError.self) {
                    switch name.prefix(3) {
                    case "dee": _ = try registry.speechToText(configuration)
                    case "ele", "car": _ = try registry.textToSpeech(configuration)
                    default: _ = try registry.languageModel(configuration)
                    }
                }
                #expect(error?.message.contains(word) == true)
            }
        }
    }
}
