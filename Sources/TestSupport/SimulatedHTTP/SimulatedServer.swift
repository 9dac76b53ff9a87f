import NIOCore
import NIOHTTP1
import NIOPosix
package import WebSocket

/// An HTTP server for simulators, with WebSockets beside its routes.
package final class SimulatedServer: Sendable {
    /// The port that is listened on.
    package let port: Int
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup

    /// Starts to listen. Throws where the port is taken.
    ///
    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - makeUpgrader: says for each new connection what becomes of it when it wants to be a WebSocket.
    ///   - route: answers a request, on the event loop of its connection.
    package static func start(
        host: String = "127.0.0.1", port: Int = 0, threads: Int = 1,
        makeUpgrader: @escaping @Sendable () -> WebSocketServerUpgrader<Void>,
        route: @escaping @Sendable (SimulatedRequest, SimulatedExchange) -> Void
    ) async throws -> SimulatedServer {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, threads))
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 1_024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { child in
                    child.eventLoop.makeCompletedFuture { try setUp(child, makeUpgrader(), route) }
                }
                .bind(host: host, port: port).get()
            return SimulatedServer(channel, group)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private init(_ channel: any Channel, _ group: MultiThreadedEventLoopGroup) {
        self.channel = channel
        self.group = group
        port = channel.localAddress?.port ?? 0
    }

    /// Closes the port and every connection.
    package func stop() async {
        try? await channel.close()
        try? await group.shutdownGracefully()
    }

    private static func setUp(
        _ channel: any Channel, _ upgrader: WebSocketServerUpgrader<Void>,
        _ route: @escaping @Sendable (SimulatedRequest, SimulatedExchange) -> Void
    ) throws {
        let configuration = NIOTypedHTTPServerUpgradeConfiguration<Void>(
            upgraders: [upgrader],
            notUpgradingCompletionHandler: { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(SimulatedHTTPHandler(route))
                }
            })
        _ = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
            configuration: .init(upgradeConfiguration: configuration))
    }
}
