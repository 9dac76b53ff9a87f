import Foundation

/// Where a LiveKit server is, for both of its protocols: its API speaks HTTP, its clients and workers WebSocket, and people write either.
package struct LiveKitURL: Sendable, Hashable, CustomStringConvertible {
    /// `http://` or `https://`, without a slash at its end.
    package let http: String
    /// `ws://` or `wss://`, without a slash at its end.
    package let webSocket: String

    /// Accepts `ws`, `wss`, `http` and `https`, with a path where the server lies behind a proxy. Throws `LiveKitError` with code
    /// `invalidCredentials`.
    package init(_ text: String) throws {
        guard let components = URLComponents(string: text), let scheme = components.scheme?.lowercased() else {
            throw Self.invalid(text, "is no URL")
        }
        let isSecure: Bool
        switch scheme {
        case "ws", "http": isSecure = false
        case "wss", "https": isSecure = true
        default: throw Self.invalid(text, "begins with '\(scheme)://'")
        }
        guard components.user == nil, components.password == nil else {
            // Not shown: it holds a password.
            throw Self.invalid(nil, "holds a user or password")
        }
        guard components.query == nil, components.fragment == nil else {
            throw Self.invalid(text, "has something behind the path")
        }
        guard let host = components.encodedHost, !host.isEmpty else { throw Self.invalid(text, "has no host") }
        if let port = components.port, !(1...65_535).contains(port) { throw Self.invalid(text, "has no valid port") }
        var place = host + (components.port.map { ":\($0)" } ?? "") + components.percentEncodedPath
        while place.hasSuffix("/") { place.removeLast() }
        http = (isSecure ? "https://" : "http://") + place
        webSocket = (isSecure ? "wss://" : "ws://") + place
    }

    package var description: String { webSocket }

    private static func invalid(_ text: String?, _ why: String) -> LiveKitError {
        LiveKitError(
            .invalidCredentials,
            "LiveKit's URL\(text.map { " '\($0)'" } ?? "") \(why); it must look like wss://project.livekit.cloud or ws://127.0.0.1:7880"
        )
    }
}
