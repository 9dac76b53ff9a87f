import ClusterSupport
import NIOCore
import NIOPosix
import Testing

/// Counts what it is sent and sends it back.
private final class Echo: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer
    private let mark: String

    init(_ mark: String) { self.mark = mark }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        context.writeAndFlush(NIOAny(ByteBuffer(string: mark + String(buffer: unwrapInboundIn(data)))), promise: nil)
    }
}

/// A client whose answers can be waited for, in order.
private final class Client: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    enum Event: Sendable, Equatable { case text(String), closed(reset: Bool) }
    private let stream = AsyncStream<Event>.makeStream()

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        stream.continuation.yield(.text(String(buffer: unwrapInboundIn(data))))
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if (error as? IOError)?.errnoCode == ECONNRESET { stream.continuation.yield(.closed(reset: true)) }
        context.close(promise: nil)
    }
    func channelInactive(context: ChannelHandlerContext) { stream.continuation.yield(.closed(reset: false)) }

    func next() async -> Event? { await stream.stream.first { _ in true } }
}

@Suite(.timeLimit(.minutes(1))) struct FaultProxyTests {
    private func echo(_ mark: String = "") async throws -> any Channel {
        try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Echo(mark)) }
            }.bind(host: "127.0.0.1", port: 0).get()
    }

    private func connect(_ port: Int) async throws -> (Client, any Channel) {
        let client = Client()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(client) }
            }.connect(host: "127.0.0.1", port: port).get()
        return (client, channel)
    }

    private func withProxy(_ body: (FaultProxy, any Channel) async throws -> Void) async throws {
        let server = try await echo()
        let proxy = try await FaultProxy.start(target: server.localAddress?.port ?? 0)
        try await body(proxy, server)
        await proxy.stop()
        try await server.close()
    }

    private func send(_ text: String, _ channel: any Channel) async throws {
        try await channel.writeAndFlush(ByteBuffer(string: text))
    }

    @Test func bytesPassBothWays() async throws {
        try await withProxy { proxy, _ in
            let (client, channel) = try await connect(proxy.port)
            try await send("a", channel)
            #expect(await client.next() == .text("a"))
            #expect(await proxy.connections == 1)
            try await channel.close()
        }
    }

    @Test func connectionsAreCutWithAReset() async throws {
        try await withProxy { proxy, _ in
            let (client, channel) = try await connect(proxy.port)
            try await send("a", channel)
            _ = await client.next()
            await proxy.reset()
            #expect(await client.next() == .closed(reset: true))
            #expect(await proxy.connections == 0)
        }
    }

    @Test func whatIsStalledComesWhenItGoesOnAndNotBefore() async throws {
        try await withProxy { proxy, _ in
            let (client, channel) = try await connect(proxy.port)
            try await send("a", channel)
            #expect(await client.next() == .text("a"))
            await proxy.stall()
            try await send("b", channel)
            let (late, lateChannel) = try await connect(proxy.port)
            try await send("c", lateChannel)
            await proxy.redirect(to: 1)
            await proxy.resume()
            // The connection that was there goes on; the one that came meanwhile is led to a port where nobody is.
            #expect(await client.next() == .text("b"))
            #expect(await late.next() == .closed(reset: true))
            try await channel.close()
        }
    }

    @Test func newConnectionsAreLedElsewhere() async throws {
        try await withProxy { proxy, _ in
            let other = try await echo("other ")
            let (client, channel) = try await connect(proxy.port)
            try await send("a", channel)
            #expect(await client.next() == .text("a"))
            await proxy.redirect(to: other.localAddress?.port ?? 0)
            let (second, secondChannel) = try await connect(proxy.port)
            try await send("b", secondChannel)
            #expect(await second.next() == .text("other b"))
            try await send("c", channel)
            #expect(await client.next() == .text("c"))
            try await channel.close()
            try await secondChannel.close()
            try await other.close()
        }
    }

    @Test func delayedPiecesKeepTheirOrder() async throws {
        try await withProxy { proxy, _ in
            let (client, channel) = try await connect(proxy.port)
            await proxy.delay(milliseconds: 20)
            try await send("a", channel)
            #expect(await client.next() == .text("a"))
            try await send("b", channel)
            await proxy.delay(milliseconds: 0)
            #expect(await client.next() == .text("b"))
            try await channel.close()
        }
    }
}
