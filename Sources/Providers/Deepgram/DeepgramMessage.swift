import Audio
import Conversation
import NIOCore
import WireCoding

/// A message of `/v1/listen`, decoded.
enum DeepgramMessage: Equatable {
    /// `start` and `end`: seconds of the connection's own time that the result covers.
    case results(
        text: String, confidence: Double, words: ClosedRange<Double>?, covers: ClosedRange<Double>, kind: Kind,
        language: String?)
    case speechStarted(seconds: Double)
    /// The vendor's error inside the stream; the connection is closed next.
    case error(String)
    /// Metadata, UtteranceEnd, ConfigureSuccess and whatever is new: of no interest here.
    case other

    struct Kind: Equatable {
        var isFinal: Bool
        var speechFinal: Bool
        var fromFinalize: Bool
    }

    /// Throws `protocolViolation` for a message that is not JSON; unknown types are `other`.
    static func decode(_ message: ByteBuffer, provider: String) throws(ProviderError) -> DeepgramMessage {
        let json: JSONValue
        do { json = try JSONDocument(message).root } catch {
            throw ProviderError(.protocolViolation, provider: provider, message: "a message is not JSON: \(error)")
        }
        let type = json["type"]
        if type.equals("Results") { return results(json) }
        if type.equals("SpeechStarted") { return .speechStarted(seconds: json["timestamp"].double ?? 0) }
        if type.equals("Error") {
            return .error(json["description"].string ?? json["message"].string ?? json["err_msg"].string ?? "unknown")
        }
        return .other
    }

    private static func results(_ json: JSONValue) -> DeepgramMessage {
        let start = max(0, json["start"].double ?? 0)
        let alternative = json["channel"]["alternatives"][0]
        let words = alternative["words"].elements
        let language =
            alternative["languages"][0].string ?? json["channel"]["detected_language"].string
        return .results(
            text: alternative["transcript"].string ?? "", confidence: alternative["confidence"].double ?? 1,
            words: range(words.first?["start"].double, words.last?["end"].double),
            covers: start...(start + max(0, json["duration"].double ?? 0)),
            kind: Kind(
                isFinal: json["is_final"].bool ?? false, speechFinal: json["speech_final"].bool ?? false,
                fromFinalize: json["from_finalize"].bool ?? false),
            language: language)
    }

    private static func range(_ start: Double?, _ end: Double?) -> ClosedRange<Double>? {
        guard let start, let end, start >= 0, end >= start else { return nil }
        return start...end
    }
}
