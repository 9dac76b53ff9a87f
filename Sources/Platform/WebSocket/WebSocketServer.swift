package import NIOCore
package import NIOHTTP1

/// The server's half: pieces that go behind any NIO HTTP server on the same port.
package enum WebSocketServer {
    /// Makes an already upgraded channel a WebSocket. Call on its loop, with the HTTP handlers gone.
    @discardableResult
    package static func adopt(
        _ channel: any Channel, configuration: WebSocketConfiguration = WebSocketConfiguration(),
        handler: any WebSocketHandler
    ) throws -> WebSocket {
        let socket = WebSocket(
            role: .server, eventLoop: channel.eventLoop, configuration: configuration, handler: handler)
        try WebSocketChannelHandler.install(socket, on: channel, configuration: configuration).start(
            channel, subprotocol: nil)
        return socket
    }
}

/// An upgrader for NIO's typed upgrade pipeline (`NIOTypedHTTPServerUpgradeConfiguration`); `UpgradeResult` is what that yields for
/// an upgraded channel.
package final class WebSocketServerUpgrader<UpgradeResult: Sendable>: NIOTypedHTTPServerProtocolUpgrader {
    package let supportedProtocol = "websocket"
    package let requiredUpgradeHeaders: [String] = []
    private let configuration: WebSocketConfiguration
    private let accept: @Sendable (any Channel, HTTPRequestHead) -> EventLoopFuture<HTTPHeaders?>
    private let makeHandler: @Sendable (any Channel, HTTPRequestHead) -> any WebSocketHandler
    private let result: @Sendable (any Channel) -> UpgradeResult

    /// - `accept` decides on the request: headers to add to the 101 (a `Sec-WebSocket-Protocol`, for example), or nil; then the
    ///   request goes on to the HTTP server, which answers it with the right status and body.
    /// - `makeHandler` runs on the channel's loop when the 101 has been sent.
    package init(
        configuration: WebSocketConfiguration = WebSocketConfiguration(),
        accept: @escaping @Sendable (any Channel, HTTPRequestHead) -> EventLoopFuture<HTTPHeaders?>,
        makeHandler: @escaping @Sendable (any Channel, HTTPRequestHead) -> any WebSocketHandler,
        result: @escaping @Sendable (any Channel) -> UpgradeResult
    ) {
        self.configuration = configuration
        self.accept = accept
        self.makeHandler = makeHandler
        self.result = result
    }

    package func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        let keys = upgradeRequest.headers["Sec-WebSocket-Key"]
        guard keys.count == 1, upgradeRequest.headers["Sec-WebSocket-Version"] == ["13"], upgradeRequest.method == .GET
        else {
            let error = WebSocketError(.handshake, "not a WebSocket 13 request: key or version missing")
            return channel.eventLoop.makeFailedFuture(error)
        }
        return accept(channel, upgradeRequest).flatMapThrowing { extra in
            guard var headers = extra else { throw WebSocketError(.refused, "the application refused the upgrade") }
            headers.replaceOrAdd(name: "Upgrade", value: "websocket")
            headers.replaceOrAdd(name: "Connection", value: "Upgrade")
            headers.replaceOrAdd(name: "Sec-WebSocket-Accept", value: WebSocketAccept.value(for: keys[0]))
            return headers
        }
    }

    package func upgrade(channel: any Channel, upgradeRequest: HTTPRequestHead) -> EventLoopFuture<UpgradeResult> {
        channel.eventLoop.makeCompletedFuture {
            try WebSocketServer.adopt(
                channel, configuration: configuration, handler: makeHandler(channel, upgradeRequest))
            return result(channel)
        }
    }
}
