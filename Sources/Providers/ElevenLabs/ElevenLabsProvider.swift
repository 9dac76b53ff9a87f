package import Conversation
package import NIOCore
import ProviderSupport
package import WebSocket

/// ElevenLabs' speech over `multi-stream-input`.
package struct ElevenLabsProvider: TextToSpeech {
    /// "Rachel", a voice of every account.
    private static let defaultVoice = "21m00Tcm4TlvDq8ikWAM"

    package let name: String
    private let model: String
    private let key: String
    private let baseURL: String
    private let voice: String
    private let settings: ElevenLabsVoiceSettings
    private let firstByteMilliseconds: Int
    private let client: WebSocketClient
    private let retry: ProviderRetry

    /// Options: `voice`, `stability`, `similarity`, `style` (0 to 1), `first_byte_ms`. Throws where `ELEVENLABS_API_KEY` is missing.
    init(_ configuration: ProviderConfiguration, client: WebSocketClient, retry: ProviderRetry) throws(ProviderError) {
        try configuration.allowOptions("voice", "stability", "similarity", "style", "first_byte_ms")
        name = configuration.name
        model = configuration.model.isEmpty ? "eleven_flash_v2_5" : configuration.model
        key = try configuration.key("ELEVENLABS_API_KEY")
        baseURL = try configuration.baseURL("ELEVENLABS_BASE_URL", default: "wss://api.elevenlabs.io")
        do { _ = try WebSocketURL(baseURL) } catch {
            throw configuration.invalid("ELEVENLABS_BASE_URL: \(error.message)")
        }
        voice = configuration.options["voice"] ?? Self.defaultVoice
        settings = ElevenLabsVoiceSettings(
            stability: try configuration.number("stability", 0...1),
            similarity: try configuration.number("similarity", 0...1),
            style: try configuration.number("style", 0...1), speed: 1)
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

    func wire(_ request: SynthesisRequest) throws(WebSocketError) -> ElevenLabsWire {
        var query = [
            ("model_id", model), ("output_format", "pcm_16000"), ("auto_mode", "true"), ("sync_alignment", "true"),
            // The longest there is; between two sentences of a caller who is asked for his papers, minutes pass.
            ("inactivity_timeout", "180"),
        ]
        // Only some models take a language, and only its first part.
        if let language = request.language, model.contains("v2_5") || model.contains("v3") {
            query.append(("language_code", String(language.prefix { $0 != "-" }).lowercased()))
        }
        let voice = WebSocketURL.encode(request.voice ?? voice)
        let path = "/v1/text-to-speech/\(voice)/multi-stream-input?"
        let url = try WebSocketURL(
            baseURL + path + query.map { "\($0)=\(WebSocketURL.encode($1))" }.joined(separator: "&"))
        var settings = settings
        settings.speed = min(max(request.speed, 0.7), 1.2)
        return ElevenLabsWire(
            provider: name,
            request: WebSocketRequest(url, headers: [("xi-api-key", key)], connectDeadline: .seconds(4)),
            settings: settings)
    }
}

/// Registers `elevenlabs`; keys and base URL are `ELEVENLABS_API_KEY` and `ELEVENLABS_BASE_URL`.
package func registerElevenLabs(in registry: inout ProviderRegistry, client: WebSocketClient = WebSocketClient()) {
    registry.register(textToSpeech: "elevenlabs") { try ElevenLabsProvider($0, client: client, retry: .connection) }
}
