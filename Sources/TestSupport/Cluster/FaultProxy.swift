import Foundation
import NIOCore
import NIOPosix

/// A TCP proxy on a loopback port that does to connections what networks do: cut, stall, delay, lead elsewhere.
///
/// Calls return when the change is in force.
package final class FaultProxy: Sendable {
    /// The port that is listened on.
    package let port: Int
    private let core: NIOLoopBound<ProxyCore>
    private let server: any Channel

    /// Forwards to a port of the loopback interface, whoever listens there when a connection comes.
    package static func start(target: Int) async throws -> FaultProxy {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let core = try await eventLoop.submit {
            NIOLoopBound(ProxyCore(target: target, eventLoop: eventLoop), eventLoop: eventLoop)
        }.get()
        let server = try await ServerBootstrap(group: eventLoop)
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try core.value.accept(channel) }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return FaultProxy(core, server)
    }

    private init(_ core: NIOLoopBound<ProxyCore>, _ server: any Channel) {
        self.core = core
        self.server = server
        port = server.localAddress?.port ?? 0
    }

    /// New connections lead to another port; those that are there stay.
    package func redirect(to port: Int) async { await perform { $0.target = port } }

    /// Cuts all connections with RST.
    package func reset() async { await perform { $0.reset() } }

    /// Nothing passes and nobody is told, as behind a dead link: bytes wait in the sockets' buffers.
    package func stall() async { await perform { $0.set(stalled: true) } }

    /// What waited passes.
    package func resume() async { await perform { $0.set(stalled: false) } }

    /// Every piece takes so long more, in each direction; 0 for none.
    package func delay(milliseconds: Int) async { await perform { $0.delay = .milliseconds(Int64(milliseconds)) } }

    /// Connections now.
    package var connections: Int {
        get async { (try? await core.eventLoop.submit { self.core.value.pairs.count }.get()) ?? 0 }
    }

    /// Closes the port and cuts all connections.
    package func stop() async {
        try? await server.close()
        await reset()
    }

    private func perform(_ body: @escaping @Sendable (ProxyCore) -> Void) async {
        try? await core.eventLoop.submit { body(self.core.value) }.get()
    }
}

/// All connections of a proxy. Confined to its event loop.
private final class ProxyCore {
    let eventLoop: any EventLoop
    var target: Int
    var delay = TimeAmount.zero
    private(set) var isStalled = false
    private(set) var pairs: [ObjectIdentifier: ProxyPair] = [:]

    init(target: Int, eventLoop: any EventLoop) {
        self.target = target
        self.eventLoop = eventLoop
    }

    func accept(_ client: any Channel) throws {
        let pair = ProxyPair(client, self)
        pairs[ObjectIdentifier(pair)] = pair
        try client.pipeline.syncOperations.addHandler(ProxyEnd(pair, isClient: true))
        if !isStalled { pair.connect() }
    }

    func remove(_ pair: ProxyPair) { pairs[ObjectIdentifier(pair)] = nil }

    func reset() { for pair in pairs.values { pair.cut() } }

    func set(stalled: Bool) {
        isStalled = stalled
        for pair in pairs.values { stalled ? pair.pause() : pair.connect() }
    }
}

/// A client's connection and the one that was made for it.
private final class ProxyPair {
    private let core: ProxyCore
    private let client: any Channel
    private var server: (any Channel)?
    private var isConnecting = false
    private var isOver = false
    /// Delayed pieces of a direction: how many are on their way, and when the last of them is due. They stay in order.
    private struct Delayed {
        var count = 0
        var due = NIODeadline.now()
    }
    private var toServer = Delayed()
    private var toClient = Delayed()

    init(_ client: any Channel, _ core: ProxyCore) {
        self.client = client
        self.core = core
    }

    /// Connects to the target, or lets a connection that stood still go on.
    func connect() {
        guard !isOver else { return }
        if server != nil { return flow() }
        guard !isConnecting else { return }
        isConnecting = true
        let bound = NIOLoopBound(self, eventLoop: core.eventLoop)
        ClientBootstrap(group: core.eventLoop)
            .channelOption(.autoRead, value: false)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(ProxyEnd(bound.value, isClient: false))
                }
            }
            .connect(host: "127.0.0.1", port: core.target)
            .whenComplete { bound.value.connected($0) }
    }

    private func connected(_ result: Result<any Channel, any Error>) {
        isConnecting = false
        guard case .success(let channel) = result, !isOver else {
            if case .success(let channel) = result { channel.close(promise: nil) }
            return cut()
        }
        server = channel
        flow()
    }

    private func flow() {
        guard !core.isStalled else { return pause() }
        setReading(client, server?.isWritable ?? false)
        if let server { setReading(server, client.isWritable) }
    }

    func pause() {
        setReading(client, false)
        if let server { setReading(server, false) }
    }

    func received(_ bytes: ByteBuffer, fromClient: Bool) {
        guard let receiver = fromClient ? server : client else { return }
        let way = fromClient ? \ProxyPair.toServer : \ProxyPair.toClient
        let time = max(.now() + core.delay, self[keyPath: way].due)
        self[keyPath: way].due = time
        // One that is due may not have gone yet.
        guard time > .now() || self[keyPath: way].count > 0 else { return receiver.writeAndFlush(bytes, promise: nil) }
        self[keyPath: way].count += 1
        let bound = NIOLoopBound(self, eventLoop: core.eventLoop)
        core.eventLoop.scheduleTask(deadline: time) {
            bound.value[keyPath: way].count -= 1
            receiver.writeAndFlush(bytes, promise: nil)
        }
    }

    /// A receiver takes no more, or takes again.
    func writabilityChanged() { if server != nil { flow() } }

    /// One end has closed: so does the other, after what was sent to it.
    func closed(client isClient: Bool) {
        guard !isOver else { return }
        isOver = true
        core.remove(self)
        let other = isClient ? server : client
        let time = max(toServer.due, toClient.due)
        core.eventLoop.scheduleTask(deadline: time) { other?.close(promise: nil) }
    }

    /// Cuts both ends with RST.
    func cut() {
        guard !isOver else { return }
        isOver = true
        core.remove(self)
        for channel in [client, server].compactMap({ $0 }) {
            // A close with no time to linger is a reset.
            _ = (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
            channel.close(promise: nil)
        }
    }

    private func setReading(_ channel: any Channel, _ on: Bool) {
        try? channel.syncOptions?.setOption(.autoRead, value: on)
    }
}

/// One end of a pair.
private final class ProxyEnd: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let pair: ProxyPair
    private let isClient: Bool

    init(_ pair: ProxyPair, isClient: Bool) {
        self.pair = pair
        self.isClient = isClient
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        pair.received(unwrapInboundIn(data), fromClient: isClient)
    }
    func channelWritabilityChanged(context: ChannelHandlerContext) { pair.writabilityChanged() }
    func channelInactive(context: ChannelHandlerContext) { pair.closed(client: isClient) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { pair.cut() }
}
