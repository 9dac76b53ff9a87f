package import NIOCore

/// A request to an HTTP server.
package struct HTTPRequest: Sendable {
    package var method: String
    /// `http://` or `https://`, percent-encoded.
    package var url: String
    /// Values may hold keys and are never logged.
    package var headers: [(name: String, value: String)]
    package var body: ByteBuffer?
    package var deadlines: HTTPDeadlines
    /// False for what must not be done twice. It gets a new connection: when one that was used before breaks without an answer, the
    /// request is sent again over another, whatever the server may have done.
    package var isRepeatable = true

    package init(
        _ method: String = "GET", _ url: String, headers: [(name: String, value: String)] = [], body: ByteBuffer? = nil,
        deadlines: HTTPDeadlines = HTTPDeadlines()
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.deadlines = deadlines
    }

    /// The URL without its query, which may carry a key: for logs and messages.
    var place: String { String(url.prefix { $0 != "?" }) }
}

/// Deadlines of one exchange, in milliseconds from its start unless said otherwise.
package struct HTTPDeadlines: Sendable, Hashable {
    /// Until the connection (name, TCP, TLS) is there.
    package var connect: Int
    /// Until the status line.
    package var firstByte: Int
    /// Until the last byte; 0 for none, where the stream may be long.
    package var total: Int
    /// A response that delivers nothing for this long (whole seconds) is dead; 0 for no limit.
    package var stall: Int

    package init(connect: Int = 3_000, firstByte: Int = 15_000, total: Int = 60_000, stall: Int = 10_000) {
        self.connect = connect
        self.firstByte = firstByte
        self.total = total
        self.stall = stall
    }
}

/// Status and headers.
package struct HTTPHead: Sendable {
    package var status: Int
    /// Names lowercased, in the order received.
    package var headers: [(name: String, value: String)]

    package init(status: Int, headers: [(name: String, value: String)] = []) {
        self.status = status
        self.headers = headers
    }

    /// The first value of a header; `name` in lower case.
    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// What happens to an exchange, in this order: one `head`, any number of `body`, then `finished`; or `failed` at any point.
package enum HTTPEvent: Sendable {
    case head(HTTPHead)
    case body(ByteBuffer)
    case finished
    case failed(HTTPClientError)
}

/// A whole response.
package struct HTTPResponse: Sendable {
    package var head: HTTPHead
    package var body: ByteBuffer
}
