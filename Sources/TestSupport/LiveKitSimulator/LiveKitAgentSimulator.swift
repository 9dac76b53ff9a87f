import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import WebSocket

/// A LiveKit server of which there is only `/agent`, on a port of the loopback interface.
package final class LiveKitAgentSimulator: Sendable {
    /// What is dispatched to the workers, and what they have said.
    package let server: AgentServer
    /// Stays the same when the simulator goes down and comes back.
    package let port: Int
    private let configuration: AgentServerConfiguration
    private let group: MultiThreadedEventLoopGroup
    private let channel: Mutex<(any Channel)?>

    package static func start(_ configuration: AgentServerConfiguration = AgentServerConfiguration(), port: Int = 0) async throws
        -> LiveKitAgentSimulator
    {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = AgentServer(configuration, on: group.next())
        do {
            let channel = try await bind(server, configuration, port: port, group)
            return LiveKitAgentSimulator(server, channel, configuration, group)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private init(
        _ server: AgentServer, _ channel: any Channel, _ configuration: AgentServerConfiguration, _ group: MultiThreadedEventLoopGroup
    ) {
        self.server = server
        self.configuration = configuration
        self.group = group
        self.channel = Mutex(channel)
        port = channel.localAddress?.port ?? 0
    }

    package var url: String { "ws://127.0.0.1:\(port)" }

    /// A token that workers are let in with.
    package func workerToken() -> String { AgentServerTokens.worker(key: configuration.apiKey, secret: configuration.secret) }

    /// Ends all connections and refuses new ones, as while a server restarts.
    package func goDown() async {
        try? await channel.withLock { $0 }?.close()
        await server.drop()
        _ = await server.wait { $0.workers.isEmpty }
    }

    /// Listens again on the same port. Throws when somebody else has taken it.
    package func comeBack() async throws {
        let channel = try await Self.bind(server, configuration, port: port, group)
        self.channel.withLock { $0 = channel }
    }

    /// Closes the port and every connection.
    package func stop() async {
        try? await channel.withLock { $0 }?.close()
        await server.drop()
        try? await group.shutdownGracefully()
    }

    private static func bind(
        _ server: AgentServer, _ configuration: AgentServerConfiguration, port: Int, _ group: MultiThreadedEventLoopGroup
    ) async throws -> any Channel {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { child in
                child.eventLoop.makeCompletedFuture { try setUp(child, server, configuration) }
            }
            .bind(host: "127.0.0.1", port: port).get()
    }

    private static func setUp(_ channel: any Channel, _ server: AgentServer, _ configuration: AgentServerConfiguration) throws {
        let upgrader = WebSocketServerUpgrader<Void>(
            configuration: WebSocketConfiguration(maximumMessageBytes: configuration.maximumMessageBytes),
            decide: { channel, head in
                let isAgent = head.uri.prefix { $0 != "?" } == AgentServer.path
                let missing = WebSocketDecision.refuse(status: 404, headers: ["content-type": "text/plain"], body: "404 page not found")
                return channel.eventLoop.makeSucceededFuture(isAgent ? server.admit(head) : missing)
            },
            makeHandler: { _, _ in server.makeHandler() }, result: { _ in })
        let upgrade = NIOTypedHTTPServerUpgradeConfiguration<Void>(
            upgraders: [upgrader], notUpgradingCompletionHandler: { channel in channel.close() })
        _ = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
            configuration: .init(upgradeConfiguration: upgrade))
    }
}
