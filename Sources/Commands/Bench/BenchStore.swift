import ArgumentParser
import ClusterSupport
import Foundation

/// What appends and renewals cost.
struct BenchStore: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store",
        abstract:
            "What the appends and renewals of many calls cost the session store and Redis, and how long an append takes.",
        discussion: """
            Starts redis-server and one session-store on one core. This process is all the workers, on another core: it holds a stream for \
            each and appends what conversations log, at the rate of real ones.
            """)
    @Option(help: "Calls at once.") var calls = 1_000
    @Option(help: "Workers that share them.") var workers = 10
    @Option(help: "Seconds that are measured.") var duration = 30
    @Option(help: "The core of session-store and redis-server.") var storeCore = 0
    @Option(help: "The core of this process.") var otherCore = 1
    @Option(help: "Keep the services' logs in this folder.") var logs: String?

    func validate() throws {
        guard (1...10_000).contains(calls), (1...1_000).contains(workers) else {
            throw ValidationError("--calls takes 1 to 10000, --workers 1 to 1000")
        }
        guard duration >= 1 else { throw ValidationError("--duration must be at least 1") }
        guard storeCore != otherCore else { throw ValidationError("--store-core and --other-core must differ") }
    }

    func run() async throws {
        try Bench.stayOn(core: otherCore)
        var options = LocalCluster.Options()
        (options.stores, options.workers, options.dispatchers) = (1, 0, 0)
        options.environment = ["PARLEY_LOG_LEVEL": "warning"]
        options.cores = ["session-store": storeCore, "redis": storeCore]
        let cluster = try await LocalCluster.start(options)
        print(
            "\(calls) calls, \(workers) workers, \(BenchConversation.description); each call's lease is renewed once a second"
        )
        print(
            "session-store and Redis on core \(storeCore), the workers on core \(otherCore); this machine now: \(Bench.machineSpeed())"
        )
        fflush(nil)
        try await cluster.whileUp(logs: logs) {
            let load = try StoreLoad(port: cluster.servicePort("session-store-1"), workers: workers)
            let result = try await load.run(calls: calls, seconds: duration) {
                StoreUsage(cluster, storeCore: storeCore, otherCore: otherCore)
            }
            for line in result.report { print(line) }
        }
    }
}

/// Processor time at one moment.
struct StoreUsage: Sendable {
    let time = ContinuousClock.now
    let store: ProcessUsage?
    let redis: ProcessUsage?
    let own = ProcessUsage(pid: ProcessInfo.processInfo.processIdentifier)
    let storeCore: CoreUsage?
    let otherCore: CoreUsage?

    init(_ cluster: LocalCluster, storeCore: Int, otherCore: Int) {
        store = cluster.pid("session-store-1").flatMap { ProcessUsage(pid: $0) }
        redis = cluster.pid("redis").flatMap { ProcessUsage(pid: $0) }
        self.storeCore = CoreUsage(core: storeCore)
        self.otherCore = CoreUsage(core: otherCore)
    }
}

/// One run.
struct StoreResult: Sendable {
    /// Above these a run says nothing about the store.
    private static let highestOtherLoad = 0.7
    private static let highestStolenShare = 0.05

    let calls: Int
    let begin: StoreUsage
    let end: StoreUsage
    /// Milliseconds from an append to its answer, of what is sent at once.
    let latencies: BenchFigures
    /// Events that were appended in the time measured.
    let events: Int
    /// Events that were not answered, were dropped or lost, and sessions that were lost.
    let unanswered, dropped, lostSessions: Int

    private var seconds: Double { begin.time.duration(to: end.time) / .seconds(1) }

    var report: [String] {
        let stored = String(
            format: "%d events in %.0f s, %.0f a second; %d not answered, %d dropped, %d sessions lost", events,
            seconds,
            Double(events) / seconds, unanswered, dropped, lostSessions)
        let costs = String(
            format:
                "of a core per 1,000 calls: session-store %.1f %% (target < 15), Redis %.1f %% (target < 5), this process %.1f %%",
            share(\.store), share(\.redis), share(\.own))
        let times = String(
            format: "append to acknowledgement, telemetry aside: p50 %.2f, p95 %.2f, p99 %.2f ms (target p99 < 5), longest %.1f ms",
            latencies.at(0.5),
            latencies.at(0.95), latencies.at(0.99), latencies.at(1))
        return [stored, costs, times] + problems
    }

    /// Percent of a core, for 1,000 calls.
    private func share(_ process: KeyPath<StoreUsage, ProcessUsage?>) -> Double {
        guard let begin = begin[keyPath: process], let end = end[keyPath: process], seconds > 0 else { return 0 }
        return (end.cpuSeconds - begin.cpuSeconds) / seconds * 100 * 1_000 / Double(calls)
    }

    private var problems: [String] {
        var lines: [String] = []
        let load = begin.otherCore.flatMap { end.otherCore?.load(since: $0) } ?? 0
        if load > Self.highestOtherLoad {
            lines.append(String(format: "VOID: the workers' core was busy %.0f %% (limit 70 %%)", load * 100))
        }
        let cores = [(begin.storeCore, end.storeCore), (begin.otherCore, end.otherCore)]
        let stolen = cores.compactMap { begin, end in begin.flatMap { end?.stolen(since: $0) } }.max() ?? 0
        if stolen > Self.highestStolenShare {
            lines.append(
                String(
                    format: "VOID: the host gave %.0f %% of a core's time to other machines (limit 5 %%)", stolen * 100)
            )
        }
        if unanswered + dropped + lostSessions > 0 { lines.append("FAILED: not everything was stored") }
        return lines
    }
}
