/// Why a WebSocket could not be opened, or what broke it.
package struct WebSocketError: Error, Sendable, CustomStringConvertible {
    /// What went wrong; extensible, so switch with a default.
    package struct Code: Sendable, Hashable, CustomStringConvertible {
        package let description: String

        /// The URL is not `ws://` or `wss://` with a host.
        package static let invalidURL = Code(description: "invalid-url")
        /// No TCP connection (refused, unreachable, name not found).
        package static let connectFailed = Code(description: "connect-failed")
        /// The connection was not open before its deadline.
        package static let timedOut = Code(description: "timed-out")
        /// Certificate or TLS handshake.
        package static let tls = Code(description: "tls")
        /// The server answered with an HTTP status other than 101; see `response`.
        package static let refused = Code(description: "refused")
        /// The server's 101 breaks RFC 6455.
        package static let handshake = Code(description: "handshake")
        /// The peer broke RFC 6455 or a bound after the handshake.
        package static let protocolViolation = Code(description: "protocol-violation")
        /// The transport went away without a close frame.
        package static let connectionLost = Code(description: "connection-lost")
        /// Nothing was received within the idle deadline, pings included.
        package static let idle = Code(description: "idle")
    }

    /// What an HTTP server said instead of `101 Switching Protocols`.
    package struct Refusal: Sendable {
        package var status: Int
        /// Names lowercased.
        package var headers: [(name: String, value: String)]
        /// At most 16 KiB; the rest is cut.
        package var body: String

        /// The first value of a header, by any spelling of its name.
        package func header(_ name: String) -> String? {
            let name = name.lowercased()
            return headers.first { $0.name == name }?.value
        }
    }

    package var code: Code
    package var message: String
    package var refusal: Refusal?
    package var cause: (any Error)?

    package init(_ code: Code, _ message: String, refusal: Refusal? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.refusal = refusal
        self.cause = cause
    }

    package var description: String { "\(code): \(message)" + (cause.map { " (\($0))" } ?? "") }
}
