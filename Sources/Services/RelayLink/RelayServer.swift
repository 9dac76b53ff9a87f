package import NIOCore
import NIOPosix

/// The worker's end: accepts links. Each link gets its handler on the link's event loop, which the session then lives on.
package enum RelayServer {
    /// Binds; `accept` is called per connection on its event loop and returns what handles it.
    package static func bind(
        host: String, port: Int, group: any EventLoopGroup,
        accept: @escaping @Sendable (RelayServerLink) -> any RelayServerHandler
    ) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1_024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let link = RelayServerLink(channel: channel)
                    let handler = accept(link)
                    try channel.pipeline.syncOperations.addHandlers(
                        ByteToMessageHandler(RelayFrameDecoder(RelayCodec.decodeToWorker)),
                        RelayInbound<MessageToWorker>(
                            onMessage: { handler.received($0) }, onClose: { handler.closed($0) }))
                }
            }
            .bind(host: host, port: port).get()
    }
}

/// What a worker does with one link. Called on the link's event loop.
package protocol RelayServerHandler: Sendable {
    func received(_ message: MessageToWorker)
    /// The link is gone; called once.
    func closed(_ error: (any Error)?)
}

/// Writes to the dispatcher. Used on the link's event loop.
package struct RelayServerLink: Sendable {
    private let channel: any Channel

    init(channel: any Channel) { self.channel = channel }

    package var eventLoop: any EventLoop { channel.eventLoop }
    package var allocator: ByteBufferAllocator { channel.allocator }
    package var isWritable: Bool { channel.isWritable }

    package func write(_ message: MessageToRelay) {
        var buffer = channel.allocator.buffer(capacity: RelayCodec.frameRoom + message.payloadBytes)
        RelayCodec.encode(message, into: &buffer)
        channel.write(buffer, promise: nil)
    }

    package func flush() { channel.flush() }
    package func send(_ message: MessageToRelay) {
        write(message)
        flush()
    }

    /// Closes after what was written has left.
    package func close() { channel.close(promise: nil) }
}
