import Conversation
import NIOCore
import ProviderSupport
import WebSocket
import WireCoding

/// `multi-stream-input`: one context for each sentence. No I/O.
struct ElevenLabsWire: SpeechWire {
    let provider: String
    let request: WebSocketRequest
    /// Sent with the first message of every context, where they must be.
    let settings: ElevenLabsVoiceSettings

    /// A sixth open context closes the socket with 1008.
    var maximumContexts: Int { 5 }
    /// A closed context is answered with `isFinal` when what was under way has been sent.
    var endsCancelledContexts: Bool { true }

    func speak(_ text: String, context: String) -> [ByteBuffer] {
        [
            message(context) { json in
                json.member("text", " ")
                json.memberObject("voice_settings") { settings.write(&$0) }
            },
            message(context) {
                // A text has to end with a space.
                $0.member("text", text + " ")
                $0.member("flush", true)
            },
            cancel(context: context)[0],
        ]
    }

    /// Closing says that no text follows; it is also all that can be done about a context that nobody wants any more.
    func cancel(context: String) -> [ByteBuffer] {
        [message(context) { $0.member("close_context", true) }]
    }

    func decode(_ message: ByteBuffer) throws(ProviderError) -> [SpeechWireEvent] {
        let json: JSONValue
        do { json = try JSONDocument(message).root } catch {
            throw ProviderError(.protocolViolation, provider: provider, message: "a message is not JSON: \(error)")
        }
        if let error = json["error"].string {
            return [.failed(context: nil, failure(error, json["message"].string ?? error))]
        }
        // The documents say contextId, the service has also been seen to say context_id.
        guard let context = json["contextId"].string ?? json["context_id"].string else { return [] }
        var events: [SpeechWireEvent] = []
        let characters = characters(json["alignment"].isObject ? json["alignment"] : json["normalizedAlignment"])
        if !characters.isEmpty { events.append(.characters(context: context, characters)) }
        if let decoded = json["audio"].withRawString({ Base64.decodeSamples($0) }) {
            guard let samples = decoded else {
                throw ProviderError(.protocolViolation, provider: provider, message: "audio is not base64")
            }
            events.append(.audio(context: context, samples))
        }
        if json["isFinal"].bool == true { events.append(.ended(context: context)) }
        return events
    }

    func explain(_ closure: WebSocketClosure) -> ProviderError {
        if let error = closure.error, closure.isLocal || closure.code == .abnormal {
            return HTTPFailure.error(error, provider: provider, keyVariable: "ELEVENLABS_API_KEY") { body in
                let detail = (try? JSONDocument(body))?.root["detail"]
                return detail?["message"].string ?? detail?.string
            }
        }
        if closure.code == .policyViolation { return failure(closure.reason, closure.reason, status: 1008) }
        return ProviderError(
            .connectivity, provider: provider,
            message: closure.reason.isEmpty ? "the connection was closed" : closure.reason,
            status: Int(closure.code.rawValue))
    }

    private func failure(_ error: String, _ message: String, status: Int? = nil) -> ProviderError {
        let category: ProviderError.Category =
            switch error {
            case let e where e.contains("quota"): .quota
            case "max_active_conversations", "too_many_concurrent_requests", "rate_limit_exceeded", "system_busy":
                .rateLimited
            case let e where e.contains("api_key") || e.contains("unauthorized"): .authentication
            case let e where e.contains("timeout"): .connectivity
            case "internal_error": .server
            default: .invalidRequest
            }
        return ProviderError(category, provider: provider, message: HTTPFailure.shorten(message), status: status)
    }

    private func characters(_ json: JSONValue) -> [SpokenCharacter] {
        guard json.isObject else { return [] }
        let texts = json["chars"].elements
        let starts = json["charStartTimesMs"].doubles
        let lengths = json["charDurationsMs"].doubles
        guard texts.count == starts.count, texts.count == lengths.count else { return [] }
        return texts.indices.map { index in
            let start = min(max(starts[index], 0), 1e7)
            let end = start + min(max(lengths[index], 0), 1e7)
            return SpokenCharacter(texts[index].string ?? "", start: Int(start * 16), end: Int(end * 16))
        }
    }

    private func message(_ context: String, _ body: (inout JSONWriter) -> Void) -> ByteBuffer {
        var json = JSONWriter()
        json.object {
            $0.member("context_id", context)
            body(&$0)
        }
        return json.buffer
    }
}

/// The vendor's knobs of a voice; nil leaves the voice's own.
struct ElevenLabsVoiceSettings: Sendable, Hashable {
    var stability: Double?
    var similarity: Double?
    var style: Double?
    /// 0.7 to 1.2.
    var speed: Double

    func write(_ json: inout JSONWriter) {
        if let stability { json.member("stability", stability) }
        if let similarity { json.member("similarity_boost", similarity) }
        if let style { json.member("style", style) }
        json.member("speed", speed)
    }
}
