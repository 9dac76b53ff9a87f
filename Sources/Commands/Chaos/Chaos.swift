import CallerSimulator
import ClusterSupport
import Cryptography
import Foundation
import Logging
import Migrations
import NIOCore
import NIOPosix
import PostgresClient
import ProviderSimulator
import Synchronization
import TenantDirectory
import WebSocket

/// What a chaos run is to do.
package struct ChaosOptions: Sendable {
    var seed: UInt64
    var calls: Int
    var milliseconds: Int
    var schedule: ChaosSchedule
    /// Only the first worker runs until all callers are there.
    var startsWithOneWorker = false
    var resumableShare = 0.8
    var shape = ChaosShape()
    var clock: FakeClock?
    var logs: String?
    var logLevel = "info"
    /// Where `migrations/` and the speech models are.
    var migrations = Chaos.migrationsDirectory
}

/// A run: a cluster, its callers, the faults, and the judgement.
final class Chaos: Sendable {
    /// Between the begins of two calls: real callers do not arrive at the same moment.
    private static let stagger = 137
    private static let tenant = "chaos"

    private let options: ChaosOptions
    private let book: ConversationBook
    private let cluster: LocalCluster
    private let simulator: ProviderSimulator
    private let pool: PostgresPool
    private let key: String
    private let clock = ChaosClock()
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let say: @Sendable (String) -> Void
    private let isOver = Mutex(false)

    /// `say` gets a line whenever something happens.
    static func run(_ options: ChaosOptions, say: @escaping @Sendable (String) -> Void) async throws -> ChaosReport {
        guard options.clock != nil || !options.schedule.faults.contains(where: { $0.kind == .stepClock }) else {
            throw CommandError(
                "clock steps need libfaketime; install Debian's package libfaketime, or leave step-clock out")
        }
        let book = try ChaosConversation.makeBook()
        let simulator = try await ProviderSimulator.start(try ChaosConversation.simulator(book))
        let cluster: LocalCluster
        do { cluster = try LocalCluster.prepare(Self.cluster(options, simulator)) } catch {
            await simulator.stop()
            throw error
        }
        do {
            try await cluster.startServers()
            let (pool, key) = try await prepareDatabase(cluster, options)
            let chaos = Chaos(options, book, cluster, simulator, pool, key, say)
            let report = try await chaos.run()
            await stop(cluster, simulator, options)
            return report
        } catch {
            await stop(cluster, simulator, options)
            throw error
        }
    }

    private init(
        _ options: ChaosOptions, _ book: ConversationBook, _ cluster: LocalCluster, _ simulator: ProviderSimulator,
        _ pool: PostgresPool,
        _ key: String, _ say: @escaping @Sendable (String) -> Void
    ) {
        self.options = options
        self.book = book
        self.cluster = cluster
        self.simulator = simulator
        self.pool = pool
        self.key = key
        self.say = say
    }

    private func run() async throws -> ChaosReport {
        let late = options.startsWithOneWorker ? (1..<options.shape.workers).map { "media-worker-\($0 + 1)" } : []
        let first = cluster.serviceNames.filter { !late.contains($0) }
        for name in first { try cluster.launch(name) }
        for name in first { try await cluster.waitUntilReady(name) }
        let lead = options.calls * Self.stagger + 3_000
        let begin = ChaosClock.now + Int64(lead) * 1_000_000
        let end = begin + Int64(options.milliseconds) * 1_000_000
        async let calls = converse(until: end)
        try? await Task.sleep(for: .milliseconds(lead))
        for name in late { try await cluster.restart(name) }
        say("all callers are there")
        let before = cores()
        let (incidents, problems) = await playSchedule(from: begin)
        await sleep(until: end)
        let (load, stolen) = load(since: before)
        let records = await calls
        say("all callers have hung up; waiting for the record")
        let archive = ChaosArchive(pool: pool, clock: clock)
        await archive.settle(seconds: 90)
        let evidence = ChaosEvidence(
            calls: records, sessions: try await archive.sessions(), toolRuns: toolRuns(), incidents: incidents,
            idempotentTools: [ChaosConversation.idempotentTool])
        pool.close()
        try? await group.shutdownGracefully()
        return ChaosReport(
            verdict: ChaosCheck(evidence: evidence, book: book).verdict(),
            lines: ChaosRecovery(evidence: evidence, book: book).lines(),
            load: load, stolen: stolen, problems: problems)
    }

    // MARK: Callers

    /// Every caller converses until the end; one whose call is over before calls again.
    private func converse(until end: Int64) async -> [CallRecord] {
        await withTaskGroup(of: [CallRecord].self) { group in
            for number in 0..<options.calls {
                group.addTask {
                    try? await Task.sleep(for: .milliseconds(number * Self.stagger))
                    return await self.converse(caller: number, until: end)
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func converse(caller number: Int, until end: Int64) async -> [CallRecord] {
        var records: [CallRecord] = []
        repeat {
            let record = await call(number, attempt: records.count, until: end)
            if let record, record.connectedAt != nil { records.append(record) }
            if record?.endedBy != "caller" {
                say(
                    "caller \(number): \(record?.closeCode ?? 0) \(record?.closeReason ?? "no connection") \(record?.problems.last?.text ?? "")"
                )
                try? await Task.sleep(for: .seconds(1))
            }
        } while ChaosClock.now < end - 5_000_000_000
        return records
    }

    private func call(_ number: Int, attempt: Int, until end: Int64) async -> CallRecord? {
        // Spread evenly over the callers: of five, four for 0.8.
        let isResumable =
            Int(Double(number + 1) * options.resumableShare) > Int(Double(number) * options.resumableShare)
        var parameters = ["caller": "\(number).\(attempt)"]
        if isResumable { parameters["resumable"] = "true" }
        let order = (0..<options.shape.dispatchers).map { ($0 + number) % options.shape.dispatchers + 1 }
        let requests = order.compactMap {
            try? CallTarget.request(
                url: cluster.url(dispatcher: $0), agent: "chaos", token: key, parameters: parameters)
        }
        guard requests.count == order.count else { return nil }
        let caller = EnduringCaller.Options(
            caller: "\(number).\(attempt)", dispatchers: requests, isResumable: isResumable,
            seed: options.seed &* 1_000_003 &+ UInt64(number * 1_009 + attempt), end: end)
        let eventLoop = group.next()
        return await withCheckedContinuation { continuation in
            eventLoop.execute {
                EnduringCaller.call(caller, book: self.book, client: WebSocketClient(), on: eventLoop) {
                    continuation.resume(returning: $0)
                }
            }
        }
    }

    // MARK: Faults

    private func playSchedule(from begin: Int64) async -> ([ChaosIncident], [String]) {
        let injector = ChaosInjector(cluster: cluster, shape: options.shape)
        var incidents: [ChaosIncident] = []
        var problems: [String] = []
        for fault in options.schedule.faults {
            await sleep(until: begin + Int64(fault.at) * 1_000_000)
            let late = (ChaosClock.now - begin) / 1_000_000 - Int64(fault.at)
            say(ChaosSchedule.line(fault) + (late > 500 ? "  (\(late) ms late: the one before it took so long)" : ""))
            do {
                let incident = try await injector.play(fault)
                if !incident.note.isEmpty { say("    " + incident.note) }
                incidents.append(incident)
            } catch {
                problems.append("\(ChaosSchedule.line(fault)): \(error)")
                say("    FAILED: \(error)")
            }
        }
        return (incidents, problems)
    }

    private func sleep(until time: Int64) async {
        let left = time - ChaosClock.now
        if left > 0 { try? await Task.sleep(for: .nanoseconds(left)) }
    }

    private func toolRuns() -> [ChaosToolRun] {
        simulator.toolCalls.map { call in
            let arguments = (try? JSONSerialization.jsonObject(with: Data(call.arguments.utf8))) as? [String: Any]
            return ChaosToolRun(
                name: call.name, key: call.key, session: call.session, turn: arguments?["turn"] as? Int ?? 0,
                at: Int64(call.at.uptimeNanoseconds))
        }
    }

    // MARK: The machine

    private func cores() -> [CoreUsage] {
        (0..<ProcessInfo.processInfo.processorCount).compactMap { CoreUsage(core: $0) }
    }

    private func load(since before: [CoreUsage]) -> (Double, Double) {
        let pairs = Array(zip(before, cores()))
        let count = Double(max(1, pairs.count))
        return (
            pairs.reduce(0) { $0 + $1.1.load(since: $1.0) } / count,
            pairs.reduce(0) { $0 + $1.1.stolen(since: $1.0) } / count
        )
    }

    // MARK: Making

    private static func cluster(_ options: ChaosOptions, _ simulator: ProviderSimulator) -> LocalCluster.Options {
        var cluster = LocalCluster.Options()
        cluster.workers = options.shape.workers
        cluster.stores = options.shape.stores
        cluster.dispatchers = options.shape.dispatchers
        cluster.archivers = options.shape.archivers
        cluster.replica = true
        cluster.postgres = true
        cluster.proxies = true
        if options.schedule.faults.contains(where: { $0.kind == .stepClock }) { cluster.fakeClock = options.clock }
        cluster.environment = simulator.environment.merging(["PARLEY_LOG_LEVEL": options.logLevel]) { $1 }
        var worker = ["PARLEY_WORKER_CAPACITY": "10000"]
        for tool in [ChaosConversation.onceTool, ChaosConversation.idempotentTool] {
            worker["PARLEY_TOOL_\(tool.uppercased())_URL"] = simulator.toolURL(tool)
        }
        cluster.serviceEnvironment = ["media-worker": worker, "archiver": ["PARLEY_ARCHIVER_CLAIM_AFTER": "1s"]]
        return cluster
    }

    private static func prepareDatabase(_ cluster: LocalCluster, _ options: ChaosOptions) async throws -> (
        PostgresPool, String
    ) {
        let logger = Logger(label: "chaos") { _ in SwiftLogNoOpLogHandler() }
        let configuration = try PostgresConfiguration(url: cluster.serverURL)
        _ = try await Migrator(
            configuration, migrations: try Migration.load(directory: options.migrations), logger: logger
        ).run()
        let pool = PostgresPool(configuration, logger: logger)
        let store = DirectoryStore(pool)
        _ = try await store.createTenant(tenant, name: "Chaos")
        _ = try await store.pushAgent(tenant: tenant, name: "chaos", definition: ChaosConversation.agent)
        let key = try await store.createKey(tenant: tenant, name: "chaos", scopes: ["sessions"]).secret.revealed
        return (pool, key)
    }

    private static func stop(_ cluster: LocalCluster, _ simulator: ProviderSimulator, _ options: ChaosOptions) async {
        await cluster.stop(logs: options.logs)
        await simulator.stop()
    }

    /// `migrations/` of the checkout that this was built from, else of the working directory.
    static var migrationsDirectory: String {
        let checkout = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../migrations")
            .standardizedFileURL.path
        return FileManager.default.fileExists(atPath: checkout) ? checkout : "migrations"
    }
}
