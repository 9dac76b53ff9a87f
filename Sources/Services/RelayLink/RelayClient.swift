package import NIOCore
import NIOPosix

/// The dispatcher's end of a link: one TCP connection to a worker for one session, on the caller's own event loop.
///
/// All methods and callbacks run on that loop. Writes are flushed by the caller through `flush()` once per read batch.
package final class RelayClient {
    private let channel: any Channel

    /// Connects within `timeout`; `onMessage` gets every message, `onClose` the end of the link, once.
    package static func connect(
        host: String, port: Int, on eventLoop: any EventLoop, timeout: TimeAmount = .milliseconds(1_000),
        onMessage: @escaping @Sendable (MessageToRelay) -> Void, onClose: @escaping @Sendable ((any Error)?) -> Void
    ) -> EventLoopFuture<NIOLoopBound<RelayClient>> {
        ClientBootstrap(group: eventLoop)
            .connectTimeout(timeout)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers(
                        ByteToMessageHandler(RelayFrameDecoder(RelayCodec.decodeToRelay)),
                        RelayInbound<MessageToRelay>(onMessage: onMessage, onClose: onClose))
                }
            }
            .connect(host: host, port: port)
            .map { NIOLoopBound(RelayClient(channel: $0), eventLoop: eventLoop) }
    }

    private init(channel: any Channel) { self.channel = channel }

    /// Queues a message; call `flush()` after the last of a batch.
    package func write(_ message: MessageToWorker) {
        var buffer = channel.allocator.buffer(capacity: RelayCodec.frameRoom + message.payloadBytes)
        RelayCodec.encode(message, into: &buffer)
        channel.write(buffer, promise: nil)
    }

    package func flush() { channel.flush() }
    package func send(_ message: MessageToWorker) {
        write(message)
        flush()
    }
    package func close() { channel.close(promise: nil) }
}

/// Hands decoded messages to a closure, synchronously.
final class RelayInbound<Message: Sendable>: ChannelInboundHandler {
    typealias InboundIn = Message

    private let onMessage: @Sendable (Message) -> Void
    private let onClose: @Sendable ((any Error)?) -> Void
    private var failure: (any Error)?

    init(onMessage: @escaping @Sendable (Message) -> Void, onClose: @escaping @Sendable ((any Error)?) -> Void) {
        self.onMessage = onMessage
        self.onClose = onClose
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { onMessage(unwrapInboundIn(data)) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = error
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { onClose(failure) }
}
