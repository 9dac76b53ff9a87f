/// A parsed `ws://` or `wss://` URL.
package struct WebSocketURL: Sendable, Hashable, CustomStringConvertible {
    package var isSecure: Bool
    package var host: String
    package var port: Int
    /// Path and query as they go on the request line; starts with `/`.
    package var target: String

    /// Accepts `ws`, `wss` and, since base URLs are often written so, `http` and `https`. Credentials and fragments are refused.
    package init(_ text: String) throws(WebSocketError) {
        guard let separator = text.firstRange(of: "://") else {
            throw Self.invalid("no scheme; expected ws:// or wss://")
        }
        switch text[..<separator.lowerBound].lowercased() {
        case "ws", "http": isSecure = false
        case "wss", "https": isSecure = true
        case let other: throw Self.invalid("scheme '\(other)' is not ws or wss")
        }
        let rest = text[separator.upperBound...]
        let authorityEnd = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<authorityEnd]
        guard !authority.contains("@") else { throw Self.invalid("credentials do not belong into a URL") }
        (host, port) = try Self.split(authority, defaultPort: isSecure ? 443 : 80)
        let target = rest[authorityEnd...]
        guard target.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") }) else {
            throw Self.invalid("path and query must be percent-encoded, without a fragment")
        }
        self.target = target.isEmpty ? "/" : target.first == "?" ? "/" + target : String(target)
    }

    /// The value of the `Host` header.
    package var authority: String {
        let name = host.contains(":") ? "[\(host)]" : host
        return port == (isSecure ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// Without the query, which may carry a key.
    package var description: String {
        "\(isSecure ? "wss" : "ws")://\(authority)\(target.prefix { $0 != "?" })"
    }

    /// Percent-encodes one component of a query (everything but RFC 3986's unreserved characters).
    package static func encode(_ component: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in component.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                out.append(byte)
            default:
                out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func split(_ authority: Substring, defaultPort: Int) throws(WebSocketError) -> (String, Int) {
        var host = authority
        var port: Substring?
        if authority.first == "[" {
            guard let end = authority.firstIndex(of: "]") else { throw invalid("unclosed [ in the host") }
            host = authority[authority.index(after: authority.startIndex)..<end]
            let after = authority[authority.index(after: end)...]
            guard after.isEmpty || after.first == ":" else { throw invalid("'\(after)' after the host") }
            port = after.isEmpty ? nil : after.dropFirst()
        } else if let colon = authority.lastIndex(of: ":") {
            host = authority[..<colon]
            port = authority[authority.index(after: colon)...]
        }
        guard !host.isEmpty else { throw invalid("no host") }
        guard let port else { return (String(host), defaultPort) }
        guard let number = Int(port), (1...65_535).contains(number) else { throw invalid("'\(port)' is not a port") }
        return (String(host), number)
    }

    private static func invalid(_ why: String) -> WebSocketError { WebSocketError(.invalidURL, why) }
}
