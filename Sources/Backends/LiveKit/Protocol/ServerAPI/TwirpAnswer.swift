import HTTPClient
import NIOCore
import WireCoding

/// What came back for a call, without any I/O.
enum TwirpAnswer {
    /// The message in a good answer. Throws `LiveKitError` for any other.
    static func body(of response: HTTPResponse, to call: TwirpCall, at url: LiveKitURL) throws -> ByteBuffer {
        guard response.head.status == 200 else { throw error(response, call, url) }
        let type = response.head.header("content-type") ?? "nothing"
        guard type.hasPrefix("application/protobuf") else {
            throw notLiveKit("\(call.method) was answered with \(type)", url)
        }
        return response.body
    }

    static func notLiveKit(_ what: String, _ url: LiveKitURL, cause: (any Error)? = nil) -> LiveKitError {
        LiveKitError(.badAnswer, "\(what) at \(url.http), as no LiveKit server would; check LIVEKIT_URL", cause: cause)
    }

    /// Twirp's errors are JSON. Whatever lies before the server, and LiveKit's own check of tokens, answer with something else.
    private static func error(_ response: HTTPResponse, _ call: TwirpCall, _ url: LiveKitURL) -> LiveKitError {
        let json = try? JSONDocument(response.body).root
        guard let json, let code = json["code"].string else { return errorWithoutCode(response, call, url) }
        let metadata = Dictionary(json["meta"].members.compactMap { key, value in value.string.map { (key, $0) } }) {
            $1
        }
        return make(LiveKitError.Code(rawValue: code), json["msg"].string ?? "", metadata, call)
    }

    /// The codes of statuses that somebody else than Twirp answers with, as Twirp's specification has them.
    private static func errorWithoutCode(_ response: HTTPResponse, _ call: TwirpCall, _ url: LiveKitURL) -> LiveKitError
    {
        let status = response.head.status
        let text = excerpt(response.body)
        switch status {
        case 401: return make(.unauthenticated, text, [:], call)
        case 403: return make(.permissionDenied, text, [:], call)
        case 429, 502, 503, 504: return make(.unavailable, "status \(status) \(text)", [:], call)
        default: return notLiveKit("\(call.method) was answered with status \(status) '\(text)'", url)
        }
    }

    private static func make(_ code: LiveKitError.Code, _ text: String, _ metadata: [String: String], _ call: TwirpCall)
        -> LiveKitError
    {
        // Servers put this before what comes from beyond their API layer.
        let text = text.hasPrefix("twirp error unknown: ") ? String(text.dropFirst(21)) : text
        let details = metadata.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        let advice = advice(code, call)
        return LiveKitError(
            code,
            "LiveKit refused \(call.method): \(text.isEmpty ? "no reason given" : String(text.prefix(500))) (\(code.rawValue)"
                + (details.isEmpty ? ")" : "; \(details.prefix(500)))") + (advice.isEmpty ? "" : "; \(advice)"),
            metadata: metadata)
    }

    private static func advice(_ code: LiveKitError.Code, _ call: TwirpCall) -> String {
        switch code {
        case .unauthenticated, .permissionDenied:
            "check that LIVEKIT_API_KEY and LIVEKIT_API_SECRET belong to this server, and the clocks of both machines"
        case .unavailable where call.service == "Egress": "is LiveKit's egress service running?"
        case .unavailable where call.service == "SIP": "is LiveKit's SIP service running?"
        case .unavailable: "nobody serves that room now, or the server is overloaded; check the name or try again"
        case .resourceExhausted: "a limit of the server or project is reached; try again later"
        case .badRoute, .unimplemented: "this server does not offer it; it may be too old"
        default: ""
        }
    }

    /// One line of whatever it is, without tokens: LiveKit quotes one that it refuses.
    private static func excerpt(_ body: ByteBuffer) -> String {
        let words = String(buffer: body.getSlice(at: body.readerIndex, length: min(body.readableBytes, 4_096)) ?? body)
            .split(whereSeparator: \.isWhitespace).map { $0.hasPrefix("eyJ") ? "[token]" : $0 }
        return String(words.joined(separator: " ").prefix(200))
    }
}
