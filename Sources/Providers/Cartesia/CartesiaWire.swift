import Audio
import Conversation
import NIOCore
import ProviderSupport
import WebSocket
import WireCoding

/// Cartesia's `/tts/websocket`: one context for each sentence. No I/O.
struct CartesiaWire: SpeechWire {
    let provider: String
    let request: WebSocketRequest
    let model: String
    let voice: String
    let language: String?
    /// 0.6 to 1.5.
    let speed: Double

    /// What the smallest paid plan allows at a time; more are refused with 429.
    var maximumContexts: Int { 3 }
    var endsCancelledContexts: Bool { false }

    func speak(_ text: String, context: String) -> [ByteBuffer] {
        var json = JSONWriter()
        json.object { json in
            json.member("model_id", model)
            json.member("transcript", text)
            json.memberObject("voice") {
                $0.member("mode", "id")
                $0.member("id", voice)
            }
            if let language { json.member("language", language) }
            json.member("context_id", context)
            json.member("continue", false)
            json.memberObject("output_format") {
                $0.member("container", "raw")
                $0.member("encoding", "pcm_s16le")
                $0.member("sample_rate", 16_000)
            }
            json.member("add_timestamps", true)
            if speed != 1 { json.memberObject("generation_config") { $0.member("speed", speed) } }
        }
        return [json.buffer]
    }

    func cancel(context: String) -> [ByteBuffer] {
        var json = JSONWriter()
        json.object {
            $0.member("context_id", context)
            $0.member("cancel", true)
        }
        return [json.buffer]
    }

    func decode(_ message: ByteBuffer) throws(ProviderError) -> [SpeechWireEvent] {
        let json: JSONValue
        do { json = try JSONDocument(message).root } catch {
            throw ProviderError(.protocolViolation, provider: provider, message: "a message is not JSON: \(error)")
        }
        let type = json["type"]
        let context = json["context_id"].string ?? ""
        if type.equals("chunk") {
            guard let samples = json["data"].withRawString({ Base64.decodeSamples($0) }) ?? nil else {
                throw ProviderError(.protocolViolation, provider: provider, message: "audio is not base64")
            }
            return [.audio(context: context, samples)]
        }
        if type.equals("timestamps") { return [.words(context: context, words(json["word_timestamps"]))] }
        if type.equals("done") { return [.ended(context: context)] }
        if type.equals("error") { return [.failed(context: context.isEmpty ? nil : context, failure(json))] }
        return []
    }

    func explain(_ closure: WebSocketClosure) -> ProviderError {
        if let error = closure.error, closure.isLocal || closure.code == .abnormal {
            return HTTPFailure.error(error, provider: provider, keyVariable: "CARTESIA_API_KEY") { body in
                let json = (try? JSONDocument(body))?.root
                return json?["message"].string ?? json?["error"].string
            }
        }
        // Idle sockets are closed by the service: a new one is made.
        return ProviderError(
            .connectivity, provider: provider,
            message: closure.reason.isEmpty ? "the connection was closed" : closure.reason,
            status: Int(closure.code.rawValue))
    }

    private func failure(_ json: JSONValue) -> ProviderError {
        let status = json["status_code"].int ?? 500
        let words = json["message"].string ?? json["error"].string ?? json["title"].string ?? "unknown error"
        return ProviderError(
            HTTPFailure.category(status), provider: provider, message: HTTPFailure.shorten(words), status: status)
    }

    private func words(_ json: JSONValue) -> [SpokenWord] {
        let words = json["words"].elements
        let (starts, ends) = (json["start"].doubles, json["end"].doubles)
        guard words.count == starts.count, words.count == ends.count else { return [] }
        return words.indices.map { index in
            SpokenWord(word: words[index].string ?? "", start: time(starts[index]), end: time(ends[index]))
        }
    }

    private func time(_ seconds: Double) -> SessionTime { SessionTime(seconds: min(max(seconds, 0), 1e5)) }
}
