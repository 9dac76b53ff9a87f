package import Conversation
package import HTTPClient
import NIOCore
import NIOPosix

/// Runs `http` tools: a JSON POST to the URL that the operator has set for the tool's name.
///
/// `PARLEY_TOOL_<NAME>_URL` names the URL (the agent file never does), `PARLEY_TOOL_<NAME>_TOKEN` a bearer token.
package struct HTTPToolRunner: ToolRunning {
    /// Longest answer that is given to the model.
    private static let maximumAnswer = 64 << 10

    private let client: HTTPClient
    private let variables: @Sendable (String) -> String?

    package init(client: HTTPClient, variables: @escaping @Sendable (String) -> String?) {
        self.client = client
        self.variables = variables
    }

    package func run(
        _ call: ToolCall, configuration: ToolConfiguration, session: String, idempotencyKey: String
    ) async -> ToolOutcomeReport {
        let name = "PARLEY_TOOL_" + call.name.uppercased().map { $0.isLetter || $0.isNumber ? String($0) : "_" }.joined()
        guard let url = variables("\(name)_URL") else {
            return .init(.failed, content: "the tool '\(call.name)' is not configured: set \(name)_URL")
        }
        var request = HTTPRequest(
            "POST", url,
            headers: [("Content-Type", "application/json"), ("Idempotency-Key", idempotencyKey), ("X-Parley-Session", session)],
            body: ByteBuffer(string: call.arguments))
        if let token = variables("\(name)_TOKEN") { request.headers.append(("Authorization", "Bearer \(token)")) }
        request.deadlines.total = configuration.timeoutMilliseconds
        do {
            let response = try await client.send(
                request, on: MultiThreadedEventLoopGroup.singleton.next(), maximumBodyBytes: Self.maximumAnswer)
            let text = String(buffer: response.body)
            return (200..<300).contains(response.head.status)
                ? .init(.succeeded, content: text) : .init(.failed, content: "HTTP \(response.head.status): \(text.prefix(500))")
        } catch {
            if Task.isCancelled { return .init(.cancelled, content: "cancelled") }
            // The request may have reached the tool: nobody can say whether it ran.
            return .init(.unknown, content: "\(error)")
        }
    }
}
