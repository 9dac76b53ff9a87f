import AnthropicProvider
public import BackendKit
import CartesiaProvider
import Conversation
import Cryptography
import DeepgramProvider
import ElevenLabsProvider
import Foundation
import HTTPClient
import InstalledBackends
import LocalProviders
import Logging
import MediaWorkerService
import NIOCore
import NIOPosix
import OpenAIProvider
import Placement
import ProviderSupport
import RateLimits
import RedisClient
import RelayLink
import ServiceLifecycle
import ServiceSupport
import SessionLog
import SpeechDetection
import Synchronization
import Telemetry
import WebSocket

/// Wires a media worker.
public enum MediaWorkerProgram {
    static let listen = EnvironmentKey<NetworkAddress>.address(
        "PARLEY_WORKER_LISTEN", default: "127.0.0.1:7100", help: "Where relay links are taken; port 0 takes a free one.")
    static let advertise = EnvironmentKey<String>.string(
        "PARLEY_WORKER_ADVERTISE_HOST", default: "", help: "Host name under which dispatchers reach this worker. Default: the listening host, or this machine's name.")
    static let id = EnvironmentKey<String>.string(
        "PARLEY_WORKER_ID", default: "", help: "Name of this worker, unique in its region. Default: a random one.")
    static let capacity = EnvironmentKey<Double>.number(
        "PARLEY_WORKER_CAPACITY", in: 0...100_000, default: "100", help: "Weight of sessions that this worker carries.")
    static let region = EnvironmentKey<String>.string(
        "PARLEY_REGION", default: "local", help: "Where this worker is; it takes sessions of dispatchers with the same region.")
    static let labels = EnvironmentKey<[String]>.list(
        "PARLEY_WORKER_LABELS", default: "", help: "What this worker has that agents may ask for (placement: labels), such as gpu.")
    static let redis = EnvironmentKey<Secret>.secret("PARLEY_REDIS_URL", default: "redis://127.0.0.1:6379", help: "Redis, as redis:// or rediss://user:password@host:port/database. Default: redis://127.0.0.1:6379.")
    static let stores = EnvironmentKey<[NetworkAddress]>.addresses(
        "PARLEY_STORE_ADDRESS", default: "127.0.0.1:7200", help: "Session stores, host:port.")
    static let tickets = EnvironmentKey<KeyRing>.keyRing(
        "PARLEY_TICKET_KEYS", help: "Keys that sign the tickets of internal links, id:secret, the current one first.")
    static let turnThreads = EnvironmentKey<Int>.integer(
        "PARLEY_TURN_MODEL_THREADS", in: 0...64, default: "1", help: "Threads of the turn model; 0 switches it off.")
    static let models = EnvironmentKey<String>.string(
        "PARLEY_MODELS_DIR", default: ".local/models", help: "Where deploy/fetch-models has put the speech models.")
    static let onnxRuntime = EnvironmentKey<String>.string(
        "PARLEY_ONNXRUNTIME_LIB", default: "", help: "Path of libonnxruntime.so; default: in the models' directory.")

    /// Runs a media worker until it is told to end, and ends the process. `backends`: those beside Parley's own.
    public static func main(backends: [any VoiceBackend] = []) async {
        let installed = InstalledBackends(adding: backends)
        let definition = ServiceDefinition(
            name: "media-worker", opsPort: 7101,
            keys: [
                listen.declaration, advertise.declaration, id.declaration, capacity.declaration, region.declaration, labels.declaration,
                redis.declaration, stores.declaration, tickets.declaration, CommonKeys.reconnectWindow.declaration, turnThreads.declaration,
                models.declaration, onnxRuntime.declaration,
            ] + StoreSecurity.declarations + QuotaKeys.declarations + installed.declarations,
            alsoKnown: Set(["PARLEY_POCKETSPHINX_MODEL_DIR", "PARLEY_LOCAL_SPEECH_THREADS"] + toolVariables))
        if CommandLine.arguments.contains("--help-config") {
            print(definition.configurationHelp)
            return
        }
        let code = await ServiceRunner(definition).run { context in try await services(context, installed) }
        for media in rooms.withLock({ $0 }) { media.close() }
        exit(code.rawValue)
    }

    /// Where the tools of agents are, see `HTTPToolRunner`: their names are in no list.
    private static var toolVariables: [String] { ProcessInfo.processInfo.environment.keys.filter { $0.hasPrefix("PARLEY_TOOL_") } }

    /// To be closed at the end.
    private static let rooms = Mutex<[any RoomMedia]>([])

    private static func services(_ context: ServiceContext, _ installed: InstalledBackends) async throws -> [any Service] {
        let environment = context.environment
        let configured = try environment.get(id)
        let name = configured.isEmpty ? "worker-\(try RandomBytes.name(bytes: 6).lowercased())" : configured
        let address = try environment.get(listen)
        let redisClient = RedisClient(
            try RedisConfiguration(url: environment.get(redis).revealed, name: name), on: context.eventLoops.next(),
            logger: context.logger)
        let client = try StoreClient(
            addresses: try environment.get(stores).map { .init(host: $0.host, port: $0.port) }, security: try StoreSecurity(environment),
            logger: context.logger)
        let (changes, changed) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let advertised = try environment.get(advertise)
        let host = advertised.isEmpty ? defaultHost(address.host) : advertised
        let stream = OwnerStream(
            client: client, worker: .init(id: name, address: "\(host):\(address.port)", version: ParleyVersion.current),
            logger: context.logger)
        let ticketKeys = RelayTickets(keys: try environment.get(tickets))
        let quota = ProviderQuota(
            try QuotaKeys.quotas(environment), shared: SharedLimits(RedisLimits(redis: redisClient), metrics: context.metrics),
            worker: name, localShare: try environment.get(QuotaKeys.localShare))
        let backends = try backends(environment, installed, context.logger)
        let core = WorkerCore(
            name: name, capacity: try environment.get(capacity),
            store: StoreOwner(client: client, stream: stream, worker: name, address: "\(host):\(address.port)"),
            environment: try sessionEnvironment(context, quota), backends: backends, registry: context.metrics, logger: context.logger,
            reconnectWindow: try environment.get(CommonKeys.reconnectWindow),
            checkTicket: { ticketKeys.problem(with: $0, session: $1, fence: $2) }, loadChanged: { changed.yield() })
        watch(backends, core, context)
        let worker = MediaWorker(core: core, group: context.eventLoops)
        let channel = try await worker.bind(host: address.host, port: address.port)
        let port = channel.localAddress?.port ?? address.port
        context.announce("relay", at: "\(address.host):\(port)")
        context.health.addReadinessCheck("redis") {
            _ = try await redisClient.send(RedisCommand("PING"))
            return .ready
        }
        context.health.addReadinessCheck("session-store") { stream.isAvailable ? .ready : .notReady("no session store is reachable") }
        let announcer = try WorkerAnnouncer(WorkerRegistry(redis: redisClient))
        let capacityValue = core.capacity
        let region = try environment.get(region)
        let labels = Set(try environment.get(labels)).union(backends.names.map { PlacementRequest.label(ofBackend: $0) })
        let meter = LoadMeter()
        let presence = WorkerPresence(id: name, announcer: announcer, changes: changes, logger: context.logger) {
            let load = core.takeLoad()
            return WorkerBeat(
                id: name, host: host, port: port, capacity: capacityValue, load: load.weight, measuredLoad: meter.share(),
                sessions: load.sessions, draining: core.isDraining, version: ParleyVersion.current, region: region, labels: labels,
                usedReservations: load.usedReservations)
        }
        return [
            Running { try await client.run() }, Running { await stream.run() }, Running { await quota.run() },
            MediaWorkerDrain(core: core, channel: channel), presence,
        ]
    }

    /// A backend whose media half does not work here leaves the others alone: dispatchers send its sessions to other workers.
    private static func backends(_ environment: ServiceEnvironment, _ installed: InstalledBackends, _ logger: Logger) throws -> WorkerBackends {
        var backends = WorkerBackends()
        for (backend, settings) in try installed.enabled(environment) {
            do { try backends.add(backend, settings, logger: logger) } catch {
                logger.error("this worker goes without a backend", metadata: ["backend": "\(backend.name)", "error": "\(error)"])
            }
        }
        return backends
    }

    /// What rooms count goes among the metrics; a backend that breaks ends the process, after others have its sessions.
    private static func watch(_ backends: WorkerBackends, _ core: WorkerCore, _ context: ServiceContext) {
        for entry in backends.all {
            guard case .room(let media) = entry.media else { continue }
            rooms.withLock { $0.append(media) }
            media.whenBroken { reason in
                core.giveAwayRooms()
                context.shutdown.request(reason: "backend \(entry.backend.name): \(reason)")
            }
            InstalledBackends.show({ media.figures }, in: context.metrics)
        }
    }

    private static func sessionEnvironment(_ context: ServiceContext, _ quota: ProviderQuota) throws -> SessionEnvironment {
        let variables: @Sendable (String) -> String? = { secret($0) }
        var registry = ProviderRegistry()
        registerLocalProviders(in: &registry, environment: variables)
        let http = HTTPClient.shared
        let webSockets = WebSocketClient()
        registerDeepgram(in: &registry, client: webSockets)
        registerOpenAI(in: &registry, client: http)
        registerAnthropic(in: &registry, client: http)
        registerElevenLabs(in: &registry, client: webSockets)
        registerCartesia(in: &registry, client: webSockets)
        registry.limit(by: quota)
        let (speechModel, turnModel) = try speechModels(turnThreads: try context.environment.get(turnThreads))
        let metrics = context.metrics
        return SessionEnvironment(
            registry: registry, variables: variables, speechModel: speechModel, turnModel: turnModel, tools: HTTPToolRunner(client: http, variables: variables),
            metrics: { SessionMetrics(registry: metrics, tenant: $0) }, logger: context.logger)
    }

    /// Files that are not there are a matter of configuration: starting again does not help.
    private static func speechModels(turnThreads: Int) throws -> (SileroVAD, TurnAnalyzer?) {
        do {
            return try loadModels(turnThreads: turnThreads)
        } catch let error as SpeechDetectionError where error.code == .modelMissing || error.code == .runtimeMissing {
            throw ConfigurationError([.init(.invalid, variable: models.name, message: "is not usable: \(error.message)")])
        }
    }

    private static func loadModels(turnThreads threads: Int) throws -> (SileroVAD, TurnAnalyzer?) {
        let files = ModelFiles(environment: ProcessInfo.processInfo.environment)
        let runtime = try OnnxRuntime(files: files)
        let speechModel = try SileroVAD(files: files, runtime: runtime)
        guard threads > 0 else { return (speechModel, nil) }
        let turnModel = try SmartTurn(files: files, runtime: runtime)
        return (speechModel, try TurnAnalyzer(model: turnModel, settings: .init(threads: threads, queueLimit: threads * 4)))
    }

    /// A provider's key or URL: from the variable, or from the file that `<NAME>_FILE` names.
    private static func secret(_ name: String) -> String? {
        let environment = ProcessInfo.processInfo.environment
        if let value = environment[name], !value.isEmpty { return value }
        guard let file = environment["\(name)_FILE"] else { return nil }
        return (try? String(contentsOfFile: file, encoding: .utf8))?.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func defaultHost(_ listening: String) -> String {
        ["0.0.0.0", "::", ""].contains(listening) ? ProcessInfo.processInfo.hostName : listening
    }
}


/// Holds the worker's listener. At the end it takes no new sessions and waits for the live ones within the grace period.
struct MediaWorkerDrain: Service {
    let core: WorkerCore
    let channel: any Channel

    func run() async throws {
        try await gracefulShutdown()
        core.drain()
        while core.liveSessions > 0 || core.openRooms > 0, !Task.isCancelled { try await Task.sleep(for: .milliseconds(100)) }
        try? await channel.close()
    }
}
