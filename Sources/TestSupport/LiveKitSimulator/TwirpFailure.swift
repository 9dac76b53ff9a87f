/// An error as Twirp answers it.
struct TwirpFailure: Error {
    var code: String
    var message: String
    var metadata: [String: String] = [:]

    init(_ code: String, _ message: String, _ metadata: [String: String] = [:]) {
        self.code = code
        self.message = message
        self.metadata = metadata
    }

    /// The status that Twirp's specification gives to the code.
    var status: Int {
        switch code {
        case "invalid_argument", "malformed", "out_of_range": 400
        case "unauthenticated": 401
        case "permission_denied": 403
        case "not_found", "bad_route": 404
        case "canceled", "deadline_exceeded": 408
        case "already_exists", "aborted": 409
        case "failed_precondition": 412
        case "resource_exhausted": 429
        case "unimplemented": 501
        case "unavailable": 503
        default: 500
        }
    }

    // As livekit-server 1.13.5 words them; errors from beyond its API layer have the prefix.
    static let denied = TwirpFailure("unauthenticated", "permissions denied")
    static let noRoom = TwirpFailure("not_found", "twirp error unknown: requested room does not exist")
    static let noParticipant = TwirpFailure("not_found", "twirp error unknown: participant does not exist")
    /// Nobody serves the room or participant. The server takes 3 s to find that out.
    static let nobody = TwirpFailure("unavailable", "twirp error unknown: no response from servers")
    static func invalid(_ message: String) -> TwirpFailure { TwirpFailure("invalid_argument", message) }
}
