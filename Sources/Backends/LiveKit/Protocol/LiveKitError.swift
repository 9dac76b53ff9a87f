/// Why something that has to do with a LiveKit server did not work.
package struct LiveKitError: Error, Sendable, CustomStringConvertible {
    /// What happened, extensible. What a server answers has Twirp's name for it.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) {
            self.rawValue = rawValue
        }

        // Found here.

        /// URL, API key or secret cannot be used.
        package static let invalidCredentials = Code(rawValue: "invalid_credentials")
        /// What should be a token is none.
        package static let malformedToken = Code(rawValue: "malformed_token")
        /// A token of another API key.
        package static let wrongKey = Code(rawValue: "wrong_key")
        /// A token that was changed or signed with another secret.
        package static let badSignature = Code(rawValue: "bad_signature")
        package static let expiredToken = Code(rawValue: "expired_token")
        package static let prematureToken = Code(rawValue: "premature_token")
        /// A webhook without a token, or whose body is not the one that was signed.
        package static let bodyMismatch = Code(rawValue: "body_mismatch")
        /// A webhook whose body is no event.
        package static let malformedEvent = Code(rawValue: "malformed_event")
        /// A webhook about something too long ago, or yet to come.
        package static let staleEvent = Code(rawValue: "stale_event")
        /// No answer: no connection, a broken one, or time was up.
        package static let unreachable = Code(rawValue: "unreachable")
        /// Something answered that is no LiveKit server.
        package static let badAnswer = Code(rawValue: "bad_answer")

        // Answered by the server (twitchtv.github.io/twirp/docs/spec_v7.html).

        package static let invalidArgument = Code(rawValue: "invalid_argument")
        package static let unauthenticated = Code(rawValue: "unauthenticated")
        package static let permissionDenied = Code(rawValue: "permission_denied")
        package static let notFound = Code(rawValue: "not_found")
        package static let alreadyExists = Code(rawValue: "already_exists")
        package static let failedPrecondition = Code(rawValue: "failed_precondition")
        package static let resourceExhausted = Code(rawValue: "resource_exhausted")
        package static let deadlineExceeded = Code(rawValue: "deadline_exceeded")
        package static let unavailable = Code(rawValue: "unavailable")
        package static let unimplemented = Code(rawValue: "unimplemented")
        package static let badRoute = Code(rawValue: "bad_route")
        package static let malformed = Code(rawValue: "malformed")
        package static let `internal` = Code(rawValue: "internal")
        package static let unknown = Code(rawValue: "unknown")
    }

    package let code: Code
    /// What happened and what to do, for people. Never holds a secret or a token.
    package let message: String
    /// What the server said beside it, such as `sip_status_code`.
    package let metadata: [String: String]
    /// The error that led to this one.
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, metadata: [String: String] = [:], cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.metadata = metadata
        self.cause = cause
    }

    package var description: String { message }
}
