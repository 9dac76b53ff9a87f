import ArgumentParser
import Foundation
import HTTPClient
import WebSocket

/// Where calls go: a deployment's URL and a credential. Shared by `call` and `bench`.
struct CallTarget: ParsableArguments {
    @Option(help: "The dispatcher: http(s)://host:port, or the ws(s):// URL of a WebSocket endpoint. Default: PARLEY_URL.")
    var url: String?

    @Option(help: "API key (parley_...) or connect token (pct_...). Default: PARLEY_API_KEY; PARLEY_API_KEY_FILE names a file that holds it.")
    var token: String?

    /// The WebSocket request for one call of an agent.
    func request(agent: String, parameters: [String: String] = [:]) throws -> WebSocketRequest {
        let environment = ProcessInfo.processInfo.environment
        let base = url ?? environment["PARLEY_URL"] ?? "http://127.0.0.1:8080"
        return try Self.request(url: base, agent: agent, token: credential(environment), parameters: parameters)
    }

    static func request(url base: String, agent: String, token: String?, parameters: [String: String] = [:]) throws -> WebSocketRequest {
        var components = URLComponents(string: base)
        switch components?.scheme {
        case "http", "ws": components?.scheme = "ws"
        case "https", "wss": components?.scheme = "wss"
        default: throw CommandError("--url '\(base)' must begin with http://, https://, ws:// or wss://")
        }
        if components?.path.isEmpty ?? true || components?.path == "/" { components?.path = "/v1/ws" }
        var query = components?.queryItems ?? []
        query.append(URLQueryItem(name: "agent", value: agent))
        for (name, value) in parameters.sorted(by: { $0.key < $1.key }) { query.append(URLQueryItem(name: name, value: value)) }
        components?.queryItems = query
        guard let text = components?.string else { throw CommandError("--url '\(base)' is not a URL") }
        var headers: [(name: String, value: String)] = []
        if let token { headers.append(("Authorization", "Bearer \(token)")) }
        return WebSocketRequest(try WebSocketURL(text), headers: headers)
    }

    /// The address of the HTTP API and the header that opens it.
    func api() throws -> (base: String, headers: [(name: String, value: String)]) {
        let environment = ProcessInfo.processInfo.environment
        let text = url ?? environment["PARLEY_URL"] ?? "http://127.0.0.1:8080"
        guard var components = URLComponents(string: text), ["http", "https", "ws", "wss"].contains(components.scheme) else {
            throw CommandError("--url '\(text)' must begin with http://, https://, ws:// or wss://")
        }
        if components.scheme == "ws" { components.scheme = "http" }
        if components.scheme == "wss" { components.scheme = "https" }
        components.path = ""
        components.queryItems = nil
        guard let key = try credential(environment) else {
            throw CommandError("give an API key with --token, PARLEY_API_KEY or PARLEY_API_KEY_FILE")
        }
        return (components.string ?? text, [("Authorization", "Bearer \(key)")])
    }

    private func credential(_ environment: [String: String]) throws -> String? {
        if let token { return token }
        if let key = environment["PARLEY_API_KEY"], !key.isEmpty { return key }
        guard let file = environment["PARLEY_API_KEY_FILE"] else { return nil }
        guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
            throw CommandError("PARLEY_API_KEY_FILE names '\(file)', which cannot be read")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }
}
