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

/// What becomes of a request to upgrade.
package enum WebSocketDecision: Sendable {
    /// With headers to add to the 101, a `Sec-WebSocket-Protocol` for example.
    case accept(HTTPHeaders)
    /// Answered with this status and body; then the connection is closed.
    case refuse(status: Int, headers: HTTPHeaders, body: String)
    /// Closed without an answer.
    case drop
}

/// An upgrader for NIO's typed upgrade pipeline (`NIOTypedHTTPServerUpgradeConfiguration`); `UpgradeResult` is what that yields for
/// an upgraded channel.
///
/// It answers refused requests itself: NIO swallows the head of a request whose upgrade was declined, so the HTTP server behind it
/// would see an end without a beginning, or nothing.
package final class WebSocketServerUpgrader<UpgradeResult: Sendable>: NIOTypedHTTPServerProtocolUpgrader {
    package let supportedProtocol = "websocket"
    package let requiredUpgradeHeaders: [String] = []
    private let configuration: WebSocketConfiguration
    private let decide: @Sendable (any Channel, HTTPRequestHead) -> EventLoopFuture<WebSocketDecision>
    private let makeHandler: @Sendable (any Channel, HTTPRequestHead) -> any WebSocketHandler
    private let result: @Sendable (any Channel) -> UpgradeResult

    /// `makeHandler` runs on the channel's loop when the 101 has been sent.
    package init(
        configuration: WebSocketConfiguration = WebSocketConfiguration(),
        decide: @escaping @Sendable (any Channel, HTTPRequestHead) -> EventLoopFuture<WebSocketDecision>,
        makeHandler: @escaping @Sendable (any Channel, HTTPRequestHead) -> any WebSocketHandler,
        result: @escaping @Sendable (any Channel) -> UpgradeResult
    ) {
        self.configuration = configuration
        self.decide = decide
        self.makeHandler = makeHandler
        self.result = result
    }

    /// `accept` yields headers to add to the 101, or nil: then 404 is answered.
    package convenience init(
        configuration: WebSocketConfiguration = WebSocketConfiguration(),
        accept: @escaping @Sendable (any Channel, HTTPRequestHead) -> EventLoopFuture<HTTPHeaders?>,
        makeHandler: @escaping @Sendable (any Channel, HTTPRequestHead) -> any WebSocketHandler,
        result: @escaping @Sendable (any Channel) -> UpgradeResult
    ) {
        self.init(
            configuration: configuration,
            decide: { channel, head in
                accept(channel, head).map { headers in
                    headers.map { .accept($0) }
                        ?? .refuse(
                            status: 404, headers: ["content-type": "text/plain"], body: "no WebSocket is served here\n")
                }
            }, makeHandler: makeHandler, result: result)
    }

    package func buildUpgradeResponse(
        channel: any Channel, upgradeRequest: HTTPRequestHead, initialResponseHeaders: HTTPHeaders
    ) -> EventLoopFuture<HTTPHeaders> {
        let keys = upgradeRequest.headers["Sec-WebSocket-Key"]
        guard keys.count == 1, upgradeRequest.headers["Sec-WebSocket-Version"] == ["13"], upgradeRequest.method == .GET
        else {
            let headers: HTTPHeaders = ["content-type": "text/plain", "sec-websocket-version": "13"]
            let refusal = WebSocketDecision.refuse(
                status: 400, headers: headers, body: "not a WebSocket 13 request: method, key or version is wrong\n")
            return decline(channel, refusal)
        }
        return decide(channel, upgradeRequest).flatMap { decision in
            guard case .accept(var headers) = decision else { return self.decline(channel, decision) }
            headers.replaceOrAdd(name: "Upgrade", value: "websocket")
            headers.replaceOrAdd(name: "Connection", value: "Upgrade")
            headers.replaceOrAdd(name: "Sec-WebSocket-Accept", value: WebSocketAccept.value(for: keys[0]))
            return channel.eventLoop.makeSucceededFuture(headers)
        }
    }

    package func upgrade(channel: any Channel, upgradeRequest: HTTPRequestHead) -> EventLoopFuture<UpgradeResult> {
        channel.eventLoop.makeCompletedFuture {
            try WebSocketServer.adopt(
                channel, configuration: configuration, handler: makeHandler(channel, upgradeRequest))
            return result(channel)
        }
    }

    /// Answers and closes. NIO hears of it when the channel is gone, so that it sets up nothing for what is left of the request.
    private func decline(_ channel: any Channel, _ decision: WebSocketDecision) -> EventLoopFuture<HTTPHeaders> {
        if case .refuse(let status, var headers, let body) = decision {
            headers.replaceOrAdd(name: "content-length", value: "\(body.utf8.count)")
            headers.replaceOrAdd(name: "connection", value: "close")
            let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: headers)
            channel.write(HTTPServerResponsePart.head(head), promise: nil)
            channel.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(string: body))), promise: nil)
            channel.writeAndFlush(HTTPServerResponsePart.end(nil)).whenComplete { _ in channel.close(promise: nil) }
        } else {
            channel.close(promise: nil)
        }
        return channel.closeFuture.flatMapThrowing {
            throw WebSocketError(.refused, "the upgrade was refused")
        }
    }
}
