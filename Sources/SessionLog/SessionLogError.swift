/// What goes wrong with session ids, events and the session store.
package struct SessionLogError: Error, Sendable, CustomStringConvertible {
    /// Kind of an error, for code that reacts to it.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The text is not a session id.
        package static let invalidSessionID = Code(rawValue: "invalid_session_id")
        /// The bytes are no event, or the request lacks a field.
        package static let malformed = Code(rawValue: "malformed")
        /// There is no such session for this tenant, or it is closed.
        package static let notFound = Code(rawValue: "not_found")
        /// Another claimant was first: the fence is not the one that was seen.
        package static let claimLost = Code(rawValue: "claim_lost")
        /// The log holds events that this build cannot fold.
        package static let newerEvents = Code(rawValue: "newer_events")
        /// The store or its Redis does not answer. Try again.
        package static let unavailable = Code(rawValue: "unavailable")
        /// The store has no room for new sessions. Try again after `retryAfter`.
        package static let full = Code(rawValue: "full")
        /// The deadline passed before an answer came.
        package static let timeout = Code(rawValue: "timeout")
        /// The session has another owner or has ended.
        package static let lost = Code(rawValue: "lost")
    }

    package let code: Code
    /// One sentence that says what was wrong and, where it helps, what to do.
    package let message: String
    /// When to try again, where the other side said so.
    package let retryAfter: Duration?
    package let cause: (any Error)?

    package init(_ code: Code, message: String, retryAfter: Duration? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
        self.cause = cause
    }

    package var description: String {
        cause.map { "\(message) (\(code.rawValue): \($0))" } ?? "\(message) (\(code.rawValue))"
    }
}
