package import Conversation
package import NIOCore
import ProviderSupport
package import WebSocket

/// Cartesia's speech over its WebSocket.
package struct CartesiaProvider: TextToSpeech {
    /// The interface's version these messages belong to.
    private static let version = "2025-04-16"
    /// "Katie", a voice of the public library.
    private static let defaultVoice = "f786b574-daa5-4673-aa0c-cbe3e8534c02"

    package let name: String
    private let model: String
    private let key: String
    private let baseURL: String
    private let voice: String
    private let firstByteMilliseconds: Int
    private let client: WebSocketClient
    private let retry: ProviderRetry

    /// Options: `voice`, `first_byte_ms`. Throws where `CARTESIA_API_KEY` is missing.
    init(_ configuration: ProviderConfiguration, client: WebSocketClient, retry: ProviderRetry) throws(ProviderError) {
        try configuration.allowOptions("voice", "first_byte_ms")
        name = configuration.name
        model = configuration.model.isEmpty ? "sonic-3" : configuration.model
        key = try configuration.key("CARTESIA_API_KEY")
        baseURL = try configuration.baseURL("CARTESIA_BASE_URL", default: "wss://api.cartesia.ai")
        do { _ = try WebSocketURL(baseURL) } catch {
            throw configuration.invalid("CARTESIA_BASE_URL: \(error.message)")
        }
        voice = configuration.options["voice"] ?? Self.defaultVoice
        firstByteMilliseconds = try configuration.number("first_byte_ms", 100...60_000).map { Int($0) } ?? 5_000
        self.client = client
        self.retry = retry
    }

    package func open(
        _ request: SynthesisRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (SynthesisEvent) -> Void
    ) -> any SynthesisStream {
        do throws(WebSocketError) {
            let wire = try wire(request)
            return SpeechSocketStream(
                wire, session: request.session, client: client, retry: retry,
                firstByteMilliseconds: firstByteMilliseconds,
                on: eventLoop, events: events)
        } catch {
            let failure = ProviderError(.invalidRequest, provider: name, message: error.message)
            eventLoop.execute { events(.failed(nil, failure, terminal: true)) }
            return ClosedVoice()
        }
    }

    func wire(_ request: SynthesisRequest) throws(WebSocketError) -> CartesiaWire {
        let url = try WebSocketURL(baseURL + "/tts/websocket")
        let handshake = WebSocketRequest(
            url, headers: [("X-API-Key", key), ("Cartesia-Version", Self.version)], connectDeadline: .seconds(4))
        return CartesiaWire(
            provider: name, request: handshake, model: model, voice: request.voice ?? voice,
            language: request.language.map { String($0.prefix { $0 != "-" }).lowercased() },
            speed: min(max(request.speed, 0.6), 1.5))
    }
}

/// Registers `cartesia`; keys and base URL are `CARTESIA_API_KEY` and `CARTESIA_BASE_URL`.
package func registerCartesia(in registry: inout ProviderRegistry, client: WebSocketClient = WebSocketClient()) {
    registry.register(textToSpeech: "cartesia") { try CartesiaProvider($0, client: client, retry: .connection) }
}
