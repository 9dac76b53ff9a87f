package import Conversation
package import NIOCore
import ProviderSupport
package import WebSocket

/// Deepgram's streaming recognition, `/v1/listen` (Nova).
package struct DeepgramProvider: SpeechToText {
    package let name: String
    private let options: DeepgramOptions
    private let baseURL: String
    private let key: String
    private let client: WebSocketClient
    private let retry: ProviderRetry

    /// Options: `language`, `endpointing_ms` (0 = off), `smart_format`, `filler_words`, `numerals`, `mip_opt_out`. Throws where
    /// `DEEPGRAM_API_KEY` is missing.
    init(_ configuration: ProviderConfiguration, client: WebSocketClient, retry: ProviderRetry) throws(ProviderError) {
        name = configuration.name
        options = try DeepgramOptions(configuration)
        key = try configuration.key("DEEPGRAM_API_KEY")
        baseURL = try configuration.baseURL("DEEPGRAM_BASE_URL", default: "wss://api.deepgram.com")
        do { _ = try WebSocketURL(baseURL) } catch {
            throw configuration.invalid("DEEPGRAM_BASE_URL: \(error.message)")
        }
        self.client = client
        self.retry = retry
    }

    package func open(
        _ request: RecognitionRequest, on eventLoop: any EventLoop,
        events: @escaping @Sendable (RecognitionEvent) -> Void
    ) -> any RecognitionStream {
        do throws(WebSocketError) {
            let url = try WebSocketURL(baseURL + options.target(request))
            let handshake = WebSocketRequest(
                url, headers: [("Authorization", "Token \(key)")], connectDeadline: .seconds(4))
            return DeepgramStream(
                provider: name, request: handshake, client: client, retry: retry, on: eventLoop, events: events)
        } catch {
            let failure = ProviderError(.invalidRequest, provider: name, message: error.message)
            eventLoop.execute { events(.failed(failure)) }
            return ClosedStream()
        }
    }
}

/// What a stream is that could not be opened.
private final class ClosedStream: RecognitionStream {
    func send(_ samples: Span<Int16>) {}
    func finalize() {}
    func expect(_ hint: RecognitionHint?) {}
    func close() {}
}

/// Registers `deepgram`; keys and base URL are `DEEPGRAM_API_KEY` and `DEEPGRAM_BASE_URL`.
package func registerDeepgram(in registry: inout ProviderRegistry, client: WebSocketClient = WebSocketClient()) {
    registry.register(speechToText: "deepgram") { try DeepgramProvider($0, client: client, retry: .connection) }
}
