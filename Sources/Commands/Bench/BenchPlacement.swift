import ArgumentParser
import ClusterSupport
import Foundation
import Logging
import NIOCore
import NIOPosix
import Placement
import PlacementSimulation
import RedisClient

/// Placements per second through two dispatchers, and a simulation of a million of them.
struct BenchPlacement: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "placement",
        abstract: "Placements per second through two dispatchers, and a million of them simulated without media.",
        discussion: "Starts a redis-server of its own unless --redis-url names one, whose workers are left alone.")

    @Option(help: "Measure this Redis instead of one of its own.") var redisURL: String?
    @Option(help: "Workers that sessions are placed on.") var workers = 20
    @Option(help: "Placements under way at the same time in each of the two dispatchers.") var concurrency = 16
    @Option(help: "Seconds of the measurement.") var seconds = 10
    @Option(help: "Placements of the simulation.") var placements = 1_000_000
    @Option(help: "Seed of the simulation.") var seed: UInt64 = 1

    func validate() throws {
        guard (1...1_000).contains(workers), (1...1_000).contains(concurrency), (1...600).contains(seconds),
            placements > 0
        else {
            throw ValidationError(
                "--workers and --concurrency go from 1 to 1000, --seconds to 600, --placements from 1")
        }
    }

    func run() async throws {
        let measured = try await measure()
        print("placement through 2 dispatchers on \(workers) workers, \(concurrency) at a time in each")
        print(measured.table)
        let start = ContinuousClock.now
        var options = PlacementSimulation.Options()
        (options.placements, options.seed) = (placements, seed)
        let result = PlacementSimulation.run(options)
        print(
            "simulation of \(placements) placements, seed \(seed), \(options.workers) workers, 1 in 20 sessions of weight 20"
        )
        print(Self.table(result, start.duration(to: .now)))
    }

    private func measure() async throws -> PlacementLoad.Measured {
        if let redisURL { return try await measure(redisURL, pid: nil) }
        var options = LocalCluster.Options()
        (options.stores, options.workers, options.dispatchers) = (0, 0, 0)
        let cluster = try await LocalCluster.start(options)
        return try await cluster.whileUp { try await measure(cluster.redisURL, pid: cluster.pid("redis")) }
    }

    private func measure(_ url: String, pid: Int32?) async throws -> PlacementLoad.Measured {
        try await PlacementLoad(url: url, workers: workers, concurrency: concurrency).run(seconds: seconds, redis: pid)
    }

    private static func table(_ result: PlacementSimulation.Result, _ time: Duration) -> String {
        String(
            format: """
                  over capacity            %9d    target 0
                  fullest worker           %9.1f %%  of its capacity
                  placed, refused          %9d    %d
                  workers asked            %9.2f    per placement
                  fullest above the mean   %9.1f %%  of a worker's capacity
                  time                     %9.1f s
                """,
            result.overbooked, result.highest * 100, result.placed, result.refused,
            Double(result.asked) / Double(max(1, result.placed)), result.meanExcess * 100, time / .seconds(1))
    }
}

/// Two dispatchers that place sessions as fast as they can, workers that beat and take them.
struct PlacementLoad: Sendable {
    struct Measured: Sendable {
        var placed = 0
        var refused = 0
        var seconds = 0.0
        /// Milliseconds that each placement took.
        var times: [Double] = []
        /// Processor seconds of Redis; nil where it is not ours.
        var redis: Double?
        /// The most of its capacity that a worker had.
        var highest = 0.0

        var table: String {
            let figures = BenchFigures(times)
            let core = redis.map {
                String(
                    format: "%.1f %% of a core, %.0f us per placement", $0 / seconds * 100,
                    $0 / Double(max(1, placed)) * 1e6)
            }
            return String(
                format: """
                      placements per second    %9.0f    target 500
                      one placement            %9.2f ms p50, %.2f ms p95
                      processor of Redis       %@
                      fullest worker           %9.1f %%  of its capacity, target at most 100 (%d refused)
                    """,
                Double(placed) / seconds, figures.at(0.5), figures.at(0.95), core ?? "not measured", highest * 100,
                refused)
        }
    }

    private static let capacity = 100.0
    private let prefix = "bench:\(UUID().uuidString)"
    private let url: String
    private let workers: Int
    private let concurrency: Int

    init(url: String, workers: Int, concurrency: Int) {
        self.url = url
        self.workers = workers
        self.concurrency = concurrency
    }

    func run(seconds: Int, redis pid: Int32?) async throws -> Measured {
        let clients = try (0..<3).map { index in
            RedisClient(
                try RedisConfiguration(url: url, name: "bench-\(index)"),
                on: MultiThreadedEventLoopGroup.singleton.next(),
                logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() })
        }
        let registries = clients.map { WorkerRegistry(redis: $0, prefix: prefix) }
        let floor = SimulatedWorkers(registry: registries[2], count: workers, capacity: Self.capacity)
        try await floor.begin()
        let before = pid.flatMap { ProcessUsage(pid: $0) }
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        var measured = try await withThrowingTaskGroup(of: Measured.self) { group in
            for index in 0..<2 * concurrency {
                group.addTask { try await place(WorkerPlacer(registries[index % 2]), floor, until: end) }
            }
            group.addTask {
                try await floor.beat(until: end)
                return Measured()
            }
            return try await group.reduce(into: Measured()) { sum, part in
                sum.placed += part.placed
                sum.refused += part.refused
                sum.times += part.times
            }
        }
        measured.seconds = start.duration(to: .now) / .seconds(1)
        if let before, let after = pid.flatMap({ ProcessUsage(pid: $0) }) {
            measured.redis = after.cpuSeconds - before.cpuSeconds
        }
        measured.highest = await floor.highest / Self.capacity
        try await floor.leave()
        for client in clients { await client.close() }
        return measured
    }

    private func place(_ placer: WorkerPlacer, _ floor: SimulatedWorkers, until end: ContinuousClock.Instant)
        async throws -> Measured
    {
        var measured = Measured()
        while ContinuousClock.now < end {
            let start = ContinuousClock.now
            let outcome = try await placer.place(.init())
            measured.times.append(start.duration(to: .now) / .milliseconds(1))
            if case .placed(let worker, let reservation) = outcome {
                measured.placed += 1
                await floor.take(reservation, on: worker.id)
            } else {
                measured.refused += 1
                try await Task.sleep(for: .milliseconds(5))
            }
        }
        return measured
    }
}

/// Workers that have sessions for a short while and say so in their beats.
private actor SimulatedWorkers {
    private struct Floor {
        var sessions: [ContinuousClock.Instant] = []
        var used: [String] = []
        let announcer: WorkerAnnouncer
    }

    private var floors: [String: Floor] = [:]
    private let registry: WorkerRegistry
    private let capacity: Double
    private(set) var highest = 0.0
    private let count: Int

    init(registry: WorkerRegistry, count: Int, capacity: Double) {
        self.registry = registry
        self.count = count
        self.capacity = capacity
    }

    func begin() async throws {
        for index in 0..<count {
            floors["worker-\(index)"] = Floor(announcer: try WorkerAnnouncer(registry))
            try await announce("worker-\(index)")
        }
    }

    /// A session comes, and goes when its time is over; it makes room for others before the cluster is full.
    func take(_ reservation: String, on worker: String) {
        floors[worker]?.sessions.append(.now + .milliseconds(200))
        floors[worker]?.used.append(reservation)
        highest = max(highest, Double(floors[worker]?.sessions.count ?? 0))
    }

    /// Every worker beats ten times a second.
    func beat(until end: ContinuousClock.Instant) async throws {
        while ContinuousClock.now < end {
            for worker in floors.keys { try await announce(worker) }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    func leave() async throws {
        for worker in floors.keys { try await registry.leave(worker) }
    }

    private func announce(_ worker: String) async throws {
        guard let announcer = floors[worker]?.announcer else { return }
        let now = ContinuousClock.now
        floors[worker]?.sessions.removeAll { $0 <= now }
        let used = floors[worker]?.used ?? []
        floors[worker]?.used = []
        let beat = WorkerBeat(
            id: worker, host: "127.0.0.1", port: 1, capacity: capacity,
            load: Double(floors[worker]?.sessions.count ?? 0),
            sessions: floors[worker]?.sessions.count ?? 0, draining: false, version: "bench", usedReservations: used)
        try await announcer.send { beat }
    }
}
