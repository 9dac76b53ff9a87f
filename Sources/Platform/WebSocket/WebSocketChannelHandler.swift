import NIOCore
import NIOWebSocket

/// Connects NIO's pipeline to a `WebSocket`: inbound frames come from `WebSocketFrameDecoder`, outbound bytes are whole frames.
///
/// It holds frames back until `start`: they may come in the same packet as the 101, before the HTTP handlers are gone.
final class WebSocketChannelHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame

    private let socket: WebSocket
    private var isStarted = false
    /// At most what one read can hold.
    private var early: [WebSocketFrame] = []
    private var earlyError: NIOWebSocketError?

    private init(_ socket: WebSocket) { self.socket = socket }

    /// Puts the frame decoder and this handler at the end of a channel's pipeline. Call on its loop.
    static func install(
        _ socket: WebSocket, on channel: any Channel, configuration: WebSocketConfiguration
    ) throws -> WebSocketChannelHandler {
        let pipeline = channel.pipeline.syncOperations
        let handler = WebSocketChannelHandler(socket)
        try pipeline.addHandler(
            ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: configuration.maximumMessageBytes)))
        try pipeline.addHandler(handler)
        try? channel.syncOptions?.setOption(
            .writeBufferWaterMark, value: .init(low: configuration.writeBufferLow, high: configuration.writeBufferHigh))
        return handler
    }

    /// Only the frame codec is left in the pipeline: open the socket.
    func start(_ channel: any Channel, subprotocol: String?) {
        isStarted = true
        socket.upgraded(channel, subprotocol: subprotocol)
        for frame in early { socket.received(frame) }
        early = []
        if let earlyError { undecodable(earlyError) }
        if !channel.isActive { socket.transportEnded() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        if isStarted { socket.received(frame) } else { early.append(frame) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        socket.writabilityChanged()
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        // Where the server allows half-closed connections, the end of a peer that vanished is this event and nothing else.
        if let event = event as? ChannelEvent, event == .inputClosed { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if isStarted { socket.transportEnded() }
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case let error as NIOWebSocketError where isStarted: undecodable(error)
        case let error as NIOWebSocketError: earlyError = error
        // A broken transport (reset, TLS): what follows is channelInactive.
        default: context.close(promise: nil)
        }
    }

    private func undecodable(_ error: NIOWebSocketError) { socket.undecodable(tooLong: error == .invalidFrameLength) }
}
