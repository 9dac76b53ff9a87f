package import NIOCore
import NIOHTTP1
import NIOPosix
package import NIOSSL
import Synchronization

/// Where to connect, and what to say in the handshake.
package struct WebSocketRequest: Sendable {
    package var url: WebSocketURL
    /// Added to the handshake; values may hold keys and are never logged.
    package var headers: [(name: String, value: String)]
    /// Offered in this order.
    package var subprotocols: [String]
    /// From `connect` to the end of the handshake: name, TCP, TLS and HTTP.
    package var connectDeadline: TimeAmount

    package init(
        _ url: WebSocketURL, headers: [(name: String, value: String)] = [], subprotocols: [String] = [],
        connectDeadline: TimeAmount = .seconds(5)
    ) {
        self.url = url
        self.headers = headers
        self.subprotocols = subprotocols
        self.connectDeadline = connectDeadline
    }
}

/// Opens WebSocket connections. One per process is enough: it holds the TLS context, which is dear to make.
package final class WebSocketClient: Sendable {
    private let tls: TLSConfiguration
    private let tlsContext = Mutex<NIOSSLContext?>(nil)

    /// `tls`: trust roots and the like; by default the system's roots and full verification.
    package init(tls: TLSConfiguration = .makeClientConfiguration()) { self.tls = tls }

    /// Starts to connect and returns at once; must be called on `eventLoop` (of a `MultiThreadedEventLoopGroup`).
    /// `handler` hears `opened` or, with the error, `closed`.
    package func connect(
        _ request: WebSocketRequest, configuration: WebSocketConfiguration = WebSocketConfiguration(),
        on eventLoop: any EventLoop,
        handler: any WebSocketHandler
    ) -> WebSocket {
        eventLoop.preconditionInEventLoop()
        let socket = WebSocket(role: .client, eventLoop: eventLoop, configuration: configuration, handler: handler)
        let bound = NIOLoopBound(socket, eventLoop: eventLoop)
        let tlsHandler: (@Sendable () throws -> NIOSSLClientHandler)?
        do { tlsHandler = try makeTLS(request.url) } catch {
            eventLoop.execute { bound.value.failed(WebSocketError(.tls, "cannot set up TLS", cause: error)) }
            return socket
        }
        let deadline = eventLoop.scheduleTask(in: request.connectDeadline) {
            bound.value.failed(
                WebSocketError(
                    .timedOut,
                    "\(request.url) did not complete the handshake in \(request.connectDeadline.milliseconds) ms"))
        }
        ClientBootstrap(group: eventLoop)
            .connectTimeout(request.connectDeadline)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tlsHandler { try pipeline.addHandler(tlsHandler()) }
                    let decoder = ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes))
                    let encoder = HTTPRequestEncoder()
                    try pipeline.addHandlers(encoder, decoder)
                    try pipeline.addHandler(
                        WebSocketClientHandshake(
                            request, socket: bound.value, configuration: configuration, encoder: encoder,
                            decoder: decoder,
                            deadline: deadline))
                }
            }
            .connect(host: request.url.host, port: request.url.port)
            .whenComplete { result in
                switch result {
                case .success(let channel): bound.value.connected(channel)
                case .failure(let error):
                    deadline.cancel()
                    bound.value.failed(Self.explain(error, request.url))
                }
            }
        return socket
    }

    private func makeTLS(_ url: WebSocketURL) throws -> (@Sendable () throws -> NIOSSLClientHandler)? {
        guard url.isSecure else { return nil }
        let context = try tlsContext.withLock { context in
            if let context { return context }
            let made = try NIOSSLContext(configuration: tls)
            context = made
            return made
        }
        // SNI must be a name, never an address.
        let isAddress = (try? SocketAddress(ipAddress: url.host, port: url.port)) != nil
        return { try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : url.host) }
    }

    private static func explain(_ error: any Error, _ url: WebSocketURL) -> WebSocketError {
        if let error = error as? WebSocketError { return error }
        if error is NIOSSLError { return WebSocketError(.tls, "TLS handshake with \(url) failed", cause: error) }
        return WebSocketError(.connectFailed, "cannot connect to \(url)", cause: error)
    }
}

extension TimeAmount {
    var milliseconds: Int64 { nanoseconds / 1_000_000 }
}
