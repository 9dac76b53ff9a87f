import Foundation
package import NIOCore
package import NIOHTTP1
package import WireCoding

/// An HTTP request as simulators read it.
package struct SimulatedRequest: Sendable {
    package var method: String
    package var path: String
    /// Values by name, in their order.
    package var query: [String: [String]]
    package var headers: HTTPHeaders
    package var body = ByteBuffer()

    package init(_ head: HTTPRequestHead) {
        method = head.method.rawValue
        let parts = head.uri.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        path = String(parts.first ?? "/")
        headers = head.headers
        query = [:]
        for pair in (parts.count > 1 ? parts[1] : "").split(separator: "&") {
            let halves = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            query[Self.decode(halves[0]), default: []].append(halves.count > 1 ? Self.decode(halves[1]) : "")
        }
    }

    package func first(_ name: String) -> String? { query[name]?.first }
    package func header(_ name: String) -> String? { headers.first(name: name) }

    /// What follows `scheme ` in the Authorization header.
    package func credential(_ scheme: String) -> String? {
        guard let value = header("authorization"), value.lowercased().hasPrefix(scheme.lowercased() + " ") else {
            return nil
        }
        return String(value.dropFirst(scheme.count + 1)).trimmingCharacters(in: .whitespaces)
    }

    private static func decode(_ text: some StringProtocol) -> String {
        let spaced = text.replacingOccurrences(of: "+", with: " ")
        return spaced.removingPercentEncoding ?? spaced
    }
}

/// An answer that is complete at once.
package struct SimulatedAnswer: Sendable {
    package var status: Int
    package var headers: [(String, String)] = []
    package var body: String

    package init(_ status: Int, _ body: String, headers: [(String, String)] = [], type: String = "application/json") {
        self.status = status
        self.body = body
        self.headers = [("content-type", type)] + headers
    }

    package static func json(_ status: Int, headers: [(String, String)] = [], _ body: (inout JSONWriter) -> Void)
        -> SimulatedAnswer
    {
        var writer = JSONWriter()
        writer.object(body)
        return SimulatedAnswer(status, writer.text, headers: headers)
    }
}

/// A new request id.
package func makeRequestID(_ prefix: String = "") -> String { prefix + UUID().uuidString.lowercased() }
