package import NIOCore
import NIOHTTP1
package import WebSocket

/// What a simulator serves as a WebSocket.
package struct SimulatedSocket: Sendable {
    package let path: String
    /// Lets a caller in or not.
    package let decide: @Sendable (SimulatedRequest) -> WebSocketDecision
    /// Runs on the channel's loop when the caller has been let in.
    package let makeHandler: @Sendable (any Channel, SimulatedRequest) -> any WebSocketHandler

    package init(
        _ path: String, decide: @escaping @Sendable (SimulatedRequest) -> WebSocketDecision = { _ in .accept([:]) },
        makeHandler: @escaping @Sendable (any Channel, SimulatedRequest) -> any WebSocketHandler
    ) {
        self.path = path
        self.decide = decide
        self.makeHandler = makeHandler
    }

    /// Serves several on one port; 404 elsewhere.
    package static func upgrader(_ sockets: [SimulatedSocket]) -> WebSocketServerUpgrader<Void> {
        WebSocketServerUpgrader<Void>(
            decide: { channel, head in
                let request = SimulatedRequest(head)
                let decision = sockets.first { $0.path == request.path }?.decide(request)
                return channel.eventLoop.makeSucceededFuture(
                    decision
                        ?? .refuse(status: 404, headers: ["content-type": "text/plain"], body: "404 page not found\n"))
            },
            makeHandler: { channel, head in
                let request = SimulatedRequest(head)
                return sockets.first { $0.path == request.path }?.makeHandler(channel, request) ?? ClosedSocket()
            },
            result: { _ in })
    }

    /// Nobody is let in where nothing is served.
    private final class ClosedSocket: WebSocketHandler {
        func closed(_ socket: WebSocket, _ closure: WebSocketClosure) {}
    }
}
