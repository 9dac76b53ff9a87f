package import Conversation
package import HTTPClient
package import NIOCore
import ProviderSupport

/// A language model behind OpenAI's chat completions, at OpenAI or any server that speaks them.
package struct OpenAIChatModel: LanguageModel {
    package let name: String
    private let url: String
    private let headers: [(name: String, value: String)]
    private let encoder: OpenAIRequestEncoder
    private let keyVariable: String
    private let temperature: Double?
    private let client: HTTPClient

    /// Options: `reasoning_effort`, `service_tier`, `temperature` (used where the request has none). Throws where a key is missing.
    init(_ configuration: ProviderConfiguration, vendor: OpenAIVendor, client: HTTPClient) throws(ProviderError) {
        try configuration.allowOptions("reasoning_effort", "service_tier", "temperature")
        name = configuration.name
        let model = configuration.model.isEmpty ? vendor.defaultModel : configuration.model
        guard !model.isEmpty else { throw configuration.invalid("name the model: \(vendor.name)/MODEL") }
        var key = configuration.environment(vendor.keyVariable) ?? ""
        if vendor.needsKey { key = try configuration.key(vendor.keyVariable) }
        url = try configuration.baseURL(vendor.baseURLVariable, default: vendor.defaultBaseURL) + "/chat/completions"
        headers =
            [("content-type", "application/json"), ("accept", "text/event-stream"), ("user-agent", "parley")]
            + (key.isEmpty ? [] : [("authorization", "Bearer \(key)")])
        encoder = OpenAIRequestEncoder(
            provider: name, model: model, maximumTokensName: vendor.maximumTokensName,
            extras: ["reasoning_effort", "service_tier"].compactMap { name in
                configuration.options[name].map { (name, $0) }
            })
        keyVariable = vendor.keyVariable
        temperature = try configuration.number("temperature", 0...2)
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
            // The first token has a deadline of its own; a stream that then says nothing for 10 s is dead.
            let deadlines = HTTPDeadlines(
                connect: min(3_000, request.firstTokenDeadlineMilliseconds),
                firstByte: request.firstTokenDeadlineMilliseconds + 500,
                total: 120_000, stall: max(10_000, request.firstTokenDeadlineMilliseconds + 500))
            let http = HTTPRequest("POST", url, headers: headers, body: body, deadlines: deadlines)
            let (provider, keyVariable) = (name, keyVariable)
            return .success(
                GenerationCall(
                    provider: provider, request: http, makeDecoder: { OpenAIStreamDecoder(provider: provider) },
                    explain: { OpenAIErrors.response($0, $1, provider: provider, keyVariable: keyVariable) }))
        } catch { return .failure(error) }
    }
}

/// Registers `openai`, `groq`, `cerebras`, `ollama` and `vllm`; each has its own base URL and key variables, `OPENAI_BASE_URL` and so on.
package func registerOpenAI(in registry: inout ProviderRegistry, client: HTTPClient = .shared) {
    for vendor in OpenAIVendor.all {
        registry.register(languageModel: vendor.name) { try OpenAIChatModel($0, vendor: vendor, client: client) }
    }
}
