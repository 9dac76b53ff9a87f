import Foundation
import HTTPClient
import NIOCore
import NIOPosix

/// The dispatcher's public HTTP API, as a client sees it.
enum API {
    struct Answer: Sendable {
        var status: Int
        var body: String
        var retryAfter: String?
    }

    static func connect(at url: String, body: String, key: String?) async throws -> Answer {
        try await send("POST", url + "/v1/connect", body: body, key: key)
    }

    /// A connect token for an agent.
    static func token(at url: String, agent: String, key: String) async throws -> String {
        let answer = try await connect(at: url, body: #"{"agent": "\#(agent)"}"#, key: key)
        let object = try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any]
        guard answer.status == 200, let token = object?["token"] as? String else {
            throw Unfulfilled(description: "no token: \(answer.status) \(answer.body)")
        }
        return token
    }

    /// A session in a LiveKit room; returns its id.
    static func start(at url: String, agent: String, room: String, key: String) async throws -> String {
        let body = #"{"backend": "livekit", "agent": "\#(agent)", "room": "\#(room)"}"#
        let answer = try await send("POST", url + "/v1/sessions", body: body, key: key)
        let object = try JSONSerialization.jsonObject(with: Data(answer.body.utf8)) as? [String: Any]
        guard answer.status == 201, let session = object?["session"] as? String else {
            throw Unfulfilled(description: "no session: \(answer.status) \(answer.body)")
        }
        return session
    }

    static func send(_ method: String, _ url: String, body: String = "", key: String?) async throws -> Answer {
        let headers = key.map { [("Authorization", "Bearer \($0)")] } ?? []
        let request = HTTPRequest(method, url, headers: headers, body: ByteBuffer(string: body))
        let response = try await HTTPClient.shared.send(request, on: MultiThreadedEventLoopGroup.singleton.next())
        return Answer(
            status: response.head.status, body: String(buffer: response.body), retryAfter: response.head.header("retry-after"))
    }
}
