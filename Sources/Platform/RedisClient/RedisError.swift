/// What goes wrong between us and Redis.
package struct RedisError: Error, Sendable, CustomStringConvertible {
    /// Kind of an error, for code that reacts to it.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The URL or another setting cannot be used.
        package static let invalidConfiguration = Code(rawValue: "invalid_configuration")
        /// There is no connection: the command was not sent.
        package static let unavailable = Code(rawValue: "unavailable")
        /// The connection ended before the reply came: the command may have run.
        package static let connectionLost = Code(rawValue: "connection_lost")
        /// The reply did not come in time: the command may have run.
        package static let timeout = Code(rawValue: "timeout")
        /// Too many commands are waiting for replies: the command was not sent.
        package static let busy = Code(rawValue: "busy")
        /// Redis sent something that is no reply.
        package static let protocolViolation = Code(rawValue: "protocol_violation")
        /// Redis refused the command.
        package static let server = Code(rawValue: "server")
        /// The reply is not what the command should give.
        package static let unexpectedReply = Code(rawValue: "unexpected_reply")
        /// The client was closed.
        package static let closed = Code(rawValue: "closed")
    }

    package let code: Code
    /// One sentence that says what was wrong.
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        cause.map { "\(message) (\(code.rawValue): \($0))" } ?? "\(message) (\(code.rawValue))"
    }

    /// The first word of a server error, such as `NOSCRIPT` or `OOM`; empty for all other errors.
    package var serverCode: Substring { code == .server ? message.prefix { $0 != " " } : "" }
}
