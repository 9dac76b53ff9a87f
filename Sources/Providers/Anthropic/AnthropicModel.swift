package import Conversation
package import HTTPClient
package import NIOCore
import ProviderSupport

/// Anthropic's messages interface.
package struct AnthropicModel: LanguageModel {
    package let name: String
    private let url: String
    private let headers: [(name: String, value: String)]
    private let encoder: AnthropicRequestEncoder
    private let temperature: Double?
    private let client: HTTPClient

    /// Options: `temperature` (used where the request has none), `cache` (default true: instructions and tools go into the prompt
    /// cache). Throws where `ANTHROPIC_API_KEY` is missing.
    init(_ configuration: ProviderConfiguration, client: HTTPClient) throws(ProviderError) {
        try configuration.allowOptions("temperature", "cache")
        name = configuration.name
        guard !configuration.model.isEmpty else { throw configuration.invalid("name the model: anthropic/MODEL") }
        let key = try configuration.key("ANTHROPIC_API_KEY")
        url = try configuration.baseURL("ANTHROPIC_BASE_URL", default: "https://api.anthropic.com") + "/v1/messages"
        headers = [
            ("content-type", "application/json"), ("accept", "text/event-stream"), ("user-agent", "parley"),
            ("x-api-key", key),
            ("anthropic-version", "2023-06-01"),
        ]
        encoder = AnthropicRequestEncoder(
            provider: name, model: configuration.model, caches: try configuration.flag("cache") ?? true)
        temperature = try configuration.number("temperature", 0...1)
        self.client = client
    }

    package func generate(
        _ request: GenerationRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (GenerationEvent) -> Void
    ) -> any Generation {
        StreamedGeneration.start(
            call(request), client: client, deadlineMilliseconds: request.firstTokenDeadlineMilliseconds, on: eventLoop,
            events: events)
    }

    private func call(_ request: GenerationRequest) -> Result<GenerationCall, ProviderError> {
        var request = request
        request.temperature = request.temperature ?? temperature
        do throws(ProviderError) {
            let body = try encoder.body(request)
            let deadlines = HTTPDeadlines(
                connect: min(3_000, request.firstTokenDeadlineMilliseconds),
                firstByte: request.firstTokenDeadlineMilliseconds + 500,
                total: 120_000, stall: max(10_000, request.firstTokenDeadlineMilliseconds + 500))
            let http = HTTPRequest("POST", url, headers: headers, body: body, deadlines: deadlines)
            let provider = name
            return .success(
                GenerationCall(
                    provider: provider, request: http, makeDecoder: { AnthropicStreamDecoder(provider: provider) },
                    explain: { AnthropicErrors.response($0, $1, provider: provider) }))
        } catch { return .failure(error) }
    }
}

/// Registers `anthropic`; keys and base URL are `ANTHROPIC_API_KEY` and `ANTHROPIC_BASE_URL`.
package func registerAnthropic(in registry: inout ProviderRegistry, client: HTTPClient = .shared) {
    registry.register(languageModel: "anthropic") { try AnthropicModel($0, client: client) }
}
