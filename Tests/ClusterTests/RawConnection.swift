import NIOCore
import NIOPosix
import Synchronization

/// Bytes to a port, and everything that comes back until the other side closes.
enum RawConnection {
    static func answer(to text: String, port: Int) async throws -> String {
        let received = Mutex("")
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        Collector { bytes in received.withLock { $0 += bytes } })
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        try? await channel.writeAndFlush(ByteBuffer(string: text))
        try await eventually("the end of a connection that sent \(text.prefix(40).debugDescription)") {
            !channel.isActive
        }
        return received.withLock { $0 }
    }

    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let collect: (String) -> Void
        init(_ collect: @escaping (String) -> Void) { self.collect = collect }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            collect(String(buffer: unwrapInboundIn(data)))
        }
    }
}

/// Passes connections on to another port: a server that can come late.
enum Forwarder {
    /// Listens on `port`; everything goes to `target`.
    static func start(port: Int, to target: Int) async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.autoRead, value: false)
            .childChannelInitializer { near in
                let near = NIOLoopBound(near, eventLoop: near.eventLoop)
                return ClientBootstrap(group: near.value.eventLoop)
                    .channelInitializer { far in
                        far.eventLoop.makeCompletedFuture {
                            try far.pipeline.syncOperations.addHandler(Pipe(to: near.value))
                            try near.value.pipeline.syncOperations.addHandler(Pipe(to: far))
                        }
                    }
                    .connect(host: "127.0.0.1", port: target)
                    .flatMapThrowing { _ in try near.value.syncOptions?.setOption(.autoRead, value: true) }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }

    private final class Pipe: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        let other: any Channel
        init(to other: any Channel) { self.other = other }
        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            other.write(unwrapInboundIn(data), promise: nil)
        }
        func channelReadComplete(context: ChannelHandlerContext) { other.flush() }
        func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }
    }
}
