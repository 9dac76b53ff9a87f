import GRPCCore
import GRPCNIOTransportHTTP2Posix
package import Logging
package import NIOPosix
package import RedisClient
package import SessionLog
package import Telemetry

/// A session store: the gRPC service and everything behind it. Keeps nothing that a restart loses.
package final class SessionStoreServer: Sendable {
    /// What Redis's CLIENT LIST calls the connection that writes.
    let connectionName: String
    private let server: GRPCServer<HTTP2ServerTransport.Posix>
    private let transport: HTTP2ServerTransport.Posix
    private let clients: [RedisClient]
    private let redis: RedisClient
    private let tail: StreamTail
    private let condition: RedisCondition
    private let stopSignal = StopSignal()
    private let executor: EventLoopExecutor

    /// - Parameters:
    ///   - host: an IP address to listen on
    ///   - port: 0 takes a free one; `address` says which
    ///   - eventLoops: one, on which everything happens; of more, the others take connections
    package init(
        host: String, port: Int, redis configuration: RedisConfiguration, settings: StoreSettings = StoreSettings(),
        security: StoreSecurity = .plaintext, eventLoops: MultiThreadedEventLoopGroup,
        metrics registry: MetricsRegistry, logger: Logger
    ) {
        let eventLoop = eventLoops.next()
        executor = EventLoopExecutor(eventLoop)
        var configuration = configuration
        connectionName = "session-store-\(UInt32.random(in: .min ... .max))"
        configuration.name = connectionName
        let metrics = StoreMetrics(registry)
        redis = RedisClient(configuration, on: eventLoop, logger: logger)
        let waiting = redis.dedicated(name: connectionName + "-wait")
        let reading = redis.dedicated(name: connectionName + "-tail")
        clients = [redis, waiting, reading]
        condition = RedisCondition(settings: settings, metrics: metrics)
        tail = StreamTail(reading: reading, control: redis)
        let directory = SessionDirectory(redis: redis, condition: condition, settings: settings, metrics: metrics)
        let coordinator = AppendCoordinator(
            redis: redis, barrier: ReplicaBarrier(redis: waiting, patience: settings.replicaPatience),
            condition: condition,
            settings: settings, metrics: metrics)
        let parts = OwnerConnection.Parts(
            directory: directory, coordinator: coordinator, desk: CommandDesk(directory: directory, tail: tail),
            tail: tail,
            stop: stopSignal)
        transport = HTTP2ServerTransport.Posix(
            address: host.contains(":") ? .ipv6(host: host, port: port) : .ipv4(host: host, port: port),
            transportSecurity: security.server, eventLoopGroup: eventLoops)
        server = GRPCServer(
            transport: transport,
            services: [StoreService(parts: parts, follower: SessionFollower(directory: directory, tail: tail))])
    }

    /// Where it listens, once it does.
    package var listeningAddress: StoreClient.Address {
        get async throws {
            let address = try await transport.listeningAddress
            if let address = address.ipv4 { return .init(host: address.host, port: address.port) }
            return .init(host: address.ipv6?.host ?? "", port: address.ipv6?.port ?? 0)
        }
    }

    /// Whether Redis answers; what readiness means for a store.
    package func checkRedis() async throws {
        _ = try await redis.send(RedisCommand("PING"))
    }

    /// Serves until `stop()` is called, or the task is cancelled.
    package func run() async throws {
        try await withTaskExecutorPreference(executor) { try await serve() }
    }

    private func serve() async throws {
        redis.start()
        // Not needed for running, and without Redis not possible: each script is then sent with its first call.
        try? await redis.load(StoreScripts.all)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await self.condition.watch(self.redis) }
            group.addTask { await self.tail.run() }
            do {
                try await server.serve()
                group.cancelAll()
            } catch {
                group.cancelAll()
                for client in clients { await client.close() }
                throw error
            }
        }
        for client in clients { await client.close() }
    }

    /// No new calls; those under way end, streams of workers included: they connect to another replica.
    package func stop() {
        stopSignal.send()
        server.beginGracefulShutdown()
    }
}
