/// Why an HTTP exchange ended without a complete response. An error status is a response, not an error.
package struct HTTPClientError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What went wrong; extensible, so switch with a default.
    package struct Code: Sendable, Hashable, CustomStringConvertible {
        package let description: String

        /// The URL, a header or a certificate file cannot be used.
        package static let invalidRequest = Code(description: "invalid-request")
        /// Name not found, refused, unreachable: no byte was sent.
        package static let connectFailed = Code(description: "connect-failed")
        /// Certificate or TLS handshake: no byte was sent.
        package static let tls = Code(description: "tls")
        /// A deadline was over; `message` says which.
        package static let timedOut = Code(description: "timed-out")
        /// The connection broke after the request was sent.
        package static let connectionLost = Code(description: "connection-lost")
        /// The server does not speak HTTP properly.
        package static let protocolViolation = Code(description: "protocol-violation")
        /// A collected body grew beyond its bound.
        package static let tooLarge = Code(description: "too-large")
        /// The client has been shut down.
        package static let shutDown = Code(description: "shut-down")
    }

    package var code: Code
    /// Names host and path, never the query, a header or a body.
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { "\(code): \(message)" }
}
