public import BackendKit
import Cryptography
import DispatcherService
import Foundation
import InstalledBackends
import Logging
import NIOCore
import NIOPosix
import Placement
import PostgresClient
import RateLimits
import RedisClient
import RelayLink
import ServiceLifecycle
import ServiceSupport
import SessionLog
import Synchronization
import Telemetry
import TenantDirectory

/// Wires a dispatcher.
public enum DispatcherProgram {
    static let listen = EnvironmentKey<NetworkAddress>.address(
        "PARLEY_LISTEN", default: "127.0.0.1:8080", help: "The public port: API and WebSocket callers.")
    static let region = EnvironmentKey<String>.string("PARLEY_REGION", default: "local", help: "Part of every session id.")
    static let redis = EnvironmentKey<Secret>.secret("PARLEY_REDIS_URL", default: "redis://127.0.0.1:6379", help: "Redis, as redis:// or rediss://user:password@host:port/database. Default: redis://127.0.0.1:6379.")
    static let postgres = EnvironmentKey<Secret>.secret(
        "PARLEY_POSTGRES_URL", default: "", help: "PostgreSQL with tenants, API keys and agents.")
    static let agents = EnvironmentKey<String>.string(
        "PARLEY_AGENTS_DIR", default: "", help: "Instead of PostgreSQL: a directory of agent files, with PARLEY_STATIC_API_KEY. For development.")
    static let staticKey = EnvironmentKey<Secret>.secret(
        "PARLEY_STATIC_API_KEY", default: "", help: "The one API key (parley_...) that goes with PARLEY_AGENTS_DIR.")
    static let stores = EnvironmentKey<[NetworkAddress]>.addresses(
        "PARLEY_STORE_ADDRESS", default: "127.0.0.1:7200", help: "Session stores, host:port.")
    static let tickets = EnvironmentKey<KeyRing>.keyRing(
        "PARLEY_TICKET_KEYS", help: "Keys that sign the tickets of internal links, id:secret, the current one first.")

    /// Runs a dispatcher until it is told to end, and ends the process. `backends`: those beside Parley's own.
    public static func main(backends: [any VoiceBackend] = []) async {
        let installed = InstalledBackends(adding: backends)
        let definition = ServiceDefinition(
            name: "dispatcher", opsPort: 8081,
            keys: [
                listen.declaration, region.declaration, redis.declaration, postgres.declaration, agents.declaration,
                staticKey.declaration, stores.declaration, tickets.declaration, CommonKeys.reconnectWindow.declaration,
            ] + StoreSecurity.declarations + LimitKeys.declarations + installed.declarations)
        if CommandLine.arguments.contains("--help-config") {
            print(definition.configurationHelp)
            return
        }
        let code = await ServiceRunner(definition).run { context in try await services(context, installed) }
        exit(code.rawValue)
    }

    private static func services(_ context: ServiceContext, _ installed: InstalledBackends) async throws -> [any Service] {
        let environment = context.environment
        let redisClient = RedisClient(
            try RedisConfiguration(url: environment.get(redis).revealed, name: "dispatcher"), on: context.eventLoops.next(),
            logger: context.logger)
        let client = try StoreClient(
            addresses: try environment.get(stores).map { .init(host: $0.host, port: $0.port) }, security: try StoreSecurity(environment),
            logger: context.logger)
        let tickets = RelayTickets(keys: try environment.get(tickets))
        let (directory, directoryService) = try await directory(context)
        let region = try environment.get(region)
        let shared = SharedLimits(RedisLimits(redis: redisClient), metrics: context.metrics)
        let limits = CallerLimits(try LimitKeys.settings(environment), shared: shared)
        let waitingRoom = WaitingRoom(
            .init(places: try environment.get(LimitKeys.waiting), patience: try environment.get(LimitKeys.patience)))
        context.metrics.onCollect { [gauge = context.metrics.gauge("parley_dispatcher_waiting_callers", help: "Callers that wait for a worker.")] in
            gauge.set(waitingRoom.count)
        }
        let admission = Admission(
            directory: directory, tokens: RedisTokens(ConnectTokenStore(redis: redisClient)),
            store: StoreOpener(client: client, region: region), workers: RegistryPlacing(WorkerRegistry(redis: redisClient)),
            tickets: TicketSigner { session, fence in try tickets.issue(session: session, fence: fence) }, region: region,
            limits: limits, waitingRoom: waitingRoom)
        let registry = WorkerRegistry(redis: redisClient)
        // Beats must not be late, so their loop has nothing else to do.
        let watchGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let rooms = RoomKeepers(group: context.eventLoops) { worker in
            try await redisClient.send(RedisCommand("EXISTS", .string(RedisKeys.heartbeat(worker: worker)))).integer != 0
        }
        let adopter = Mutex<DispatcherCore?>(nil)
        let watch = WorkerWatch(
            list: { try await registry.workers().map { .init(id: $0.id, host: $0.host, port: $0.port) } },
            ticket: { try tickets.issue(session: RelayTickets.watch, fence: 0) }, on: watchGroup.next(), logger: context.logger
        ) { adoption, worker in
            if let core = adopter.withLock({ $0 }) { rooms.adopt(adoption, from: worker, by: core) }
        }
        let core = DispatcherCore(
            admission: admission, backends: try backends(environment, installed, context.logger), returns: Resumption(tokens: ResumeTokenStore(redis: redisClient), client: client), watch: watch, rooms: rooms,
            trustedProxies: try environment.get(LimitKeys.proxies), logger: context.logger, registry: context.metrics)
        adopter.withLock { $0 = core }
        for entry in core.backends.all { InstalledBackends.show({ entry.admission.figures }, in: context.metrics) }
        context.health.addReadinessCheck("redis") {
            _ = try await redisClient.send(RedisCommand("PING"))
            return .ready
        }
        context.health.addReadinessCheck("workers") {
            try await registry.workers().isEmpty ? .notReady("no media worker is running") : .ready
        }
        let address = try environment.get(listen)
        let server = PublicServer(
            core: core, host: address.host, port: address.port, group: context.eventLoops, logger: context.logger
        ) { port in context.announce("public", at: "http://\(address.host):\(port)") }
        // They end in reverse order: backends start what they have promised while workers are still watched.
        // Those beyond are not told to their backends: a telephone in such a room stays.
        let (closed, close) = AsyncStream<Opened>.makeStream(bufferingPolicy: .bufferingOldest(1_000))
        return [Running { try await client.run() }, Running { await limits.run() }] + directoryService + [watch]
            + core.backends.all.map { BackendHost($0, service: core, registry: registry) }
            + [
                Running { for await opened in closed { await core.backends.abandoned(opened.backend, room: Array(opened.room)) } },
                RoomRescue(service: core, store: client), try reaper(context, client, shared) { close.yield($0) }, server,
            ]
    }

    private static func backends(_ environment: ServiceEnvironment, _ installed: InstalledBackends, _ logger: Logger) throws -> DispatcherBackends {
        var backends = DispatcherBackends()
        for (backend, settings) in try installed.enabled(environment) {
            do { try backends.add(backend, settings, logger: logger) } catch let error as BackendError {
                throw ConfigurationError([InstalledBackends.problem(error)])
            }
        }
        return backends
    }

    private static func reaper(
        _ context: ServiceContext, _ client: StoreClient, _ shared: SharedLimits, _ abandoned: @escaping @Sendable (Opened) -> Void
    ) throws -> Reaper {
        var settings = Reaper.Settings()
        settings.reconnectWindow = try context.environment.get(CommonKeys.reconnectWindow)
        return Reaper(
            store: client, settings: settings,
            isAttached: { session, tenant in
                // While some dispatcher has the caller, the session is not for the reaper, however long its worker is cut off.
                try await shared.isHeld(HeldLease(member: session, what: CallerLimits.sessions, subject: .tenant(tenant)))
            }, abandoned: abandoned, metrics: context.metrics, logger: context.logger)
    }

    private static func directory(_ context: ServiceContext) async throws -> (any CallerDirectory, [any Service]) {
        let environment = context.environment
        let agentsDirectory = try environment.get(agents)
        if !agentsDirectory.isEmpty {
            let key = try environment.get(staticKey)
            guard !key.isEmpty else {
                throw ConfigurationError([.init(.missing, variable: "PARLEY_STATIC_API_KEY", message: "must be set beside PARLEY_AGENTS_DIR")])
            }
            return (try FileDirectory(directory: agentsDirectory, key: key), [])
        }
        let url = try environment.get(postgres)
        guard !url.isEmpty else {
            throw ConfigurationError([
                .init(.missing, variable: "PARLEY_POSTGRES_URL", message: "must be set, or PARLEY_AGENTS_DIR for development")
            ])
        }
        let pool = PostgresPool(try PostgresConfiguration(url: url.revealed), logger: context.logger)
        let tenants = TenantDirectory(pool, metrics: context.metrics, logger: context.logger)
        context.health.addReadinessCheck("directory") {
            tenants.age == nil ? .notReady("tenants, keys and agents have not been read from PostgreSQL yet") : .ready
        }
        return (PostgresDirectory(tenants), [Running { await tenants.run() }])
    }
}
