import NIOCore
import NIOHTTP1
import NIOSSL
import NIOWebSocket

/// The HTTP half of a client connection: sends the upgrade request, checks the answer, then replaces itself by the frame codec.
///
/// NIO's own upgrader drops the body of a refusal, and a provider says why it refused in the body.
final class WebSocketClientHandshake: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart

    private static let maximumRefusalBytes = 16 << 10

    private let request: WebSocketRequest
    private let socket: WebSocket
    private let configuration: WebSocketConfiguration
    private let encoder: HTTPRequestEncoder
    private let decoder: ByteToMessageHandler<HTTPResponseDecoder>
    private let deadline: Scheduled<Void>
    private let key: String
    private var head: HTTPResponseHead?
    private var body = ByteBuffer()
    private var done = false

    init(
        _ request: WebSocketRequest, socket: WebSocket, configuration: WebSocketConfiguration,
        encoder: HTTPRequestEncoder,
        decoder: ByteToMessageHandler<HTTPResponseDecoder>, deadline: Scheduled<Void>
    ) {
        self.request = request
        self.socket = socket
        self.configuration = configuration
        self.encoder = encoder
        self.decoder = decoder
        self.deadline = deadline
        key = NIOWebSocketClientUpgrader.randomRequestKey()
    }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { send(context) }
    }

    func channelActive(context: ChannelHandlerContext) { send(context) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body(var part):
            let room = Self.maximumRefusalBytes - body.readableBytes
            if let slice = part.readSlice(length: min(room, part.readableBytes)) { body.writeImmutableBuffer(slice) }
        case .end: finished(context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let code: WebSocketError.Code = error is NIOSSLError ? .tls : head == nil ? .connectFailed : .handshake
        fail(WebSocketError(code, "the handshake with \(request.url) failed", cause: error), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        // A server that refuses without a content length ends its body by closing.
        if let head, head.status != .switchingProtocols { return finished(context) }
        fail(WebSocketError(.connectFailed, "\(request.url) closed the connection during the handshake"), context)
    }

    private func send(_ context: ChannelHandlerContext) {
        var headers = HTTPHeaders([
            ("Host", request.url.authority), ("Upgrade", "websocket"), ("Connection", "Upgrade"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", key),
        ])
        if !request.subprotocols.isEmpty {
            headers.add(name: "Sec-WebSocket-Protocol", value: request.subprotocols.joined(separator: ", "))
        }
        for (name, value) in request.headers { headers.add(name: name, value: value) }
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: request.url.target, headers: headers)
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    private func finished(_ context: ChannelHandlerContext) {
        guard !done, let head else { return }
        guard head.status == .switchingProtocols else { return fail(refusal(head), context) }
        let accept = head.headers.first(name: "Sec-WebSocket-Accept")
        let subprotocol = head.headers.first(name: "Sec-WebSocket-Protocol")
        guard accept == WebSocketAccept.value(for: key),
            head.headers[canonicalForm: "Upgrade"].contains(where: { $0.lowercased() == "websocket" })
        else {
            return fail(
                WebSocketError(.handshake, "\(request.url) answered 101 without a valid Sec-WebSocket-Accept"), context)
        }
        guard subprotocol == nil || request.subprotocols.contains(subprotocol ?? "") else {
            return fail(WebSocketError(.handshake, "\(request.url) chose a subprotocol that was not offered"), context)
        }
        guard head.headers.first(name: "Sec-WebSocket-Extensions") == nil else {
            return fail(WebSocketError(.handshake, "\(request.url) chose an extension that was not offered"), context)
        }
        upgrade(context, subprotocol: subprotocol)
    }

    /// Frames that came with the 101 are kept by the HTTP decoder and handed on when it is removed, so it goes last.
    private func upgrade(_ context: ChannelHandlerContext, subprotocol: String?) {
        done = true
        deadline.cancel()
        let channel = context.channel
        let pipeline = context.pipeline.syncOperations
        do {
            let frames = try WebSocketChannelHandler.install(socket, on: channel, configuration: configuration)
            pipeline.removeHandler(encoder, promise: nil)
            pipeline.removeHandler(self, promise: nil)
            pipeline.removeHandler(decoder).assumeIsolated().whenComplete { _ in
                frames.start(channel, subprotocol: subprotocol)
            }
        } catch {
            socket.failed(WebSocketError(.handshake, "cannot set up the connection", cause: error))
            context.close(promise: nil)
        }
    }

    private func refusal(_ head: HTTPResponseHead) -> WebSocketError {
        let headers = head.headers.map { (name: $0.name.lowercased(), value: $0.value) }
        return WebSocketError(
            .refused, "\(request.url) answered \(head.status.code) \(head.status.reasonPhrase)",
            refusal: .init(status: Int(head.status.code), headers: headers, body: String(buffer: body)))
    }

    private func fail(_ error: WebSocketError, _ context: ChannelHandlerContext) {
        guard !done else { return }
        done = true
        deadline.cancel()
        socket.failed(error)
        context.close(promise: nil)
    }
}
