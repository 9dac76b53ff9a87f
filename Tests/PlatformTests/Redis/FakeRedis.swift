import NIOCore
import NIOPosix
import Synchronization

/// A TCP server that says what a test tells it to, whatever it is asked.
final class FakeRedis: Sendable {
    /// What to say to a connection's bytes; nil closes it.
    typealias Script = @Sendable (_ connection: Int, _ received: String) -> String?

    private let channel: any Channel

    private init(_ channel: any Channel) {
        self.channel = channel
    }

    var port: Int { channel.localAddress?.port ?? 0 }

    static func start(port: Int = 0, _ script: @escaping Script) async throws -> FakeRedis {
        let connections = Mutex(0)
        let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                let number = connections.withLock {
                    $0 += 1; return $0
                }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Handler(number: number, script: script))
                }
            }
            .bind(host: "127.0.0.1", port: port).get()
        return FakeRedis(channel)
    }

    func close() async throws {
        try await channel.close()
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let number: Int
        private let script: Script

        init(number: Int, script: @escaping Script) {
            self.number = number
            self.script = script
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            if let answer = script(number, String(buffer: unwrapInboundIn(data))) {
                if !answer.isEmpty { context.channel.writeAndFlush(ByteBuffer(string: answer), promise: nil) }
            } else {
                context.close(promise: nil)
            }
        }
    }
}
