import ArgumentParser
import ClusterSupport
import Foundation
import PostgresClient
import SessionLog
import Synchronization

/// What the archiver costs and how far it lags behind.
struct BenchArchiver: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "archiver",
        abstract: "Events per second of the archiver's processor time, its lag at a rate, and the highest rate.",
        discussion: """
            Starts redis-server, one archiver, and a PostgreSQL unless it is given one, where it makes a database of its own. This process \
            fills the archive streams with what conversations log. On few cores PostgreSQL sets the highest rate, not the archiver.
            """)
    @Option(help: "Events per second, fewer where the machine does not hold them.") var rate = 20_000
    @Option(help: "Seconds that are measured at a rate.") var duration = 20
    @Option(help: "A PostgreSQL server where databases may be made, instead of one started for this.") var postgresURL:
        String?
    @Option(help: "Keep the services' logs in this folder.") var logs: String?

    func validate() throws {
        guard (100...200_000).contains(rate) else { throw ValidationError("--rate takes 100 to 200000") }
        guard duration >= 1 else { throw ValidationError("--duration must be at least 1") }
    }

    func run() async throws {
        guard let postgresURL else { return try await measure(database: nil) }
        try await BenchDatabase.with(server: postgresURL) { try await measure(database: $0) }
    }

    /// - Parameter database: an empty one; nil starts a server for it
    private func measure(database: String?) async throws {
        var options = LocalCluster.Options()
        (options.stores, options.workers, options.dispatchers, options.archivers) = (0, 0, 0, 1)
        options.postgres = database == nil
        // What it writes goes to the disk, as in production.
        options.postgresSettings = ["shared_buffers": "512MB", "max_wal_size": "4GB"]
        options.postgresURL = database
        options.environment = ["PARLEY_LOG_LEVEL": "warning"]
        let cluster = try LocalCluster.prepare(options)
        try await cluster.whileUp(logs: logs) {
            try await cluster.startServers()
            let configuration = try PostgresConfiguration(url: database ?? cluster.serverURL)
            try await BenchDatabase.migrate(configuration)
            try await cluster.startServices()
            print("\(BenchConversation.description); this machine now: \(Bench.machineSpeed())")
            fflush(nil)
            let pool = PostgresPool(configuration, logger: BenchDatabase.quiet)
            defer { pool.close() }
            try await measure(ArchiverRun(cluster, pool))
        }
    }

    private func measure(_ run: ArchiverRun) async throws {
        var rate = rate
        while true {
            let result = try await run.atRate(rate, seconds: duration)
            for line in result.report("at \(rate) events a second") { print(line) }
            if result.isHeld || rate < Self.lowestRate { break }
            print("  the machine does not hold this rate, with everything on its cores; a lower one is tried")
            fflush(nil)
            rate = rate * 3 / 4
        }
        fflush(nil)
        for line in try await run.atLimit(events: self.rate * 10).report("from full streams") { print(line) }
    }

    private static let lowestRate = 1_000
}

/// The archiver of a cluster under load.
private final class ArchiverRun: Sendable {
    /// Not measured: every conversation has had a turn, and the archiver has caught up with its start.
    private static let warmUpSeconds = BenchConversation.turnMilliseconds / 1_000
    private static let probeMilliseconds = 50
    /// For so long the archiver may take to store what it was given.
    private static let patience = Duration.seconds(300)

    private let cluster: LocalCluster
    private let pool: PostgresPool
    /// When each probe was sent.
    private let probes = Mutex<[ContinuousClock.Instant]>([])

    init(_ cluster: LocalCluster, _ pool: PostgresPool) {
        self.cluster = cluster
        self.pool = pool
    }

    /// As many conversations as make the rate; returns when all of it is stored.
    func atRate(_ rate: Int, seconds: Int) async throws -> ArchiverResult {
        let turns = Double(rate * BenchConversation.turnMilliseconds) / 1_000
        return try await feeding(conversations: max(1, Int(turns) / BenchConversation.offsets.count)) { feed in
            let before = await ArchiverUsage(cluster).events
            async let written = feed.converse(seconds: Self.warmUpSeconds + seconds)
            try await Task.sleep(for: .seconds(Self.warmUpSeconds))
            let begin = await ArchiverUsage(cluster)
            async let lags = lags(feed, seconds: seconds)
            try await Task.sleep(for: .seconds(seconds))
            let end = await ArchiverUsage(cluster)
            let count = try await written
            let result = ArchiverResult(
                begin: begin, end: end, lags: BenchFigures(try await lags), failed: feed.failed, written: count)
            _ = try await stored(before + Double(count - feed.failed))
            return result
        }
    }

    /// Stops the archiver, fills the streams, and starts it again.
    func atLimit(events: Int) async throws -> ArchiverResult {
        try await feeding(conversations: max(1, events / 20)) { feed in
            cluster.signal("archiver-1", SIGTERM)
            guard await cluster.waitForExit("archiver-1") != nil else {
                throw CommandError("the archiver does not end")
            }
            try await feed.fill(events)
            try cluster.launch("archiver-1")
            let begin = ArchiverUsage(events: 0, processor: 0)
            let end = try await stored(Double(events))
            return ArchiverResult(begin: begin, end: end, lags: nil, failed: feed.failed, written: events)
        }
    }

    private func feeding(
        conversations: Int, _ body: (ArchiveFeed) async throws -> ArchiverResult
    ) async throws -> ArchiverResult {
        let feed = try ArchiveFeed(redisURL: cluster.redisURL, conversations: conversations)
        do {
            let result = try await body(feed)
            await feed.close()
            return result
        } catch {
            await feed.close()
            throw error
        }
    }

    /// Waits until the archiver has stored so many events since it began.
    private func stored(_ events: Double) async throws -> ArchiverUsage {
        let deadline = ContinuousClock.now + Self.patience
        while true {
            let usage = await ArchiverUsage(cluster)
            if usage.events >= events { return usage }
            guard .now < deadline else { throw CommandError("the archiver does not get through in \(Self.patience)") }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    /// Milliseconds from the append of an entry until PostgreSQL shows it, of one every 50 ms.
    private func lags(_ feed: ArchiveFeed, seconds: Int) async throws -> [Double] {
        let session = try SessionID(region: "bench", partition: 0, openedAt: Int64(Date().timeIntervalSince1970))
        probes.withLock { $0 = [] }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            let count = seconds * 1_000 / Self.probeMilliseconds
            group.addTask {
                for number in 1...count {
                    self.probes.withLock { $0.append(.now) }
                    feed.probe(session, UInt64(number))
                    try await Task.sleep(for: .milliseconds(Self.probeMilliseconds))
                }
            }
            var lags: [Double] = []
            let deadline = ContinuousClock.now + .seconds(seconds) + Self.patience
            while lags.count < count, .now < deadline {
                let stored = try await self.stored(session)
                let now = ContinuousClock.now
                lags += probes.withLock {
                    $0[lags.count..<max(lags.count, min(stored, $0.count))].map {
                        $0.duration(to: now) / .milliseconds(1)
                    }
                }
                try await Task.sleep(for: .milliseconds(5))
            }
            group.cancelAll()
            return lags
        }
    }

    private func stored(_ session: SessionID) async throws -> Int {
        try await pool.query(
            "SELECT coalesce(max(sequence), 0)::integer AS stored FROM parley.events WHERE opened_on = $1::date AND session = $2",
            [.text(session.openingDate.iso), .text(session.description)])[0].decode("stored")
    }
}

/// What the archiver has done and used at one moment.
private struct ArchiverUsage: Sendable {
    let time = ContinuousClock.now
    let events: Double
    /// Seconds of processor time.
    let processor: Double

    init(events: Double, processor: Double) {
        self.events = events
        self.processor = processor
    }

    init(_ cluster: LocalCluster) async {
        processor = cluster.pid("archiver-1").flatMap { ProcessUsage(pid: $0)?.cpuSeconds } ?? 0
        let metrics = await LocalCluster.get(cluster.opsURL("archiver-1") + "/metrics")?.body ?? ""
        let line = metrics.split(separator: "\n").first { $0.hasPrefix("parley_archiver_events_total ") }
        events = line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) } ?? 0
    }
}

/// One measurement.
private struct ArchiverResult: Sendable {
    /// The lag at which the archiver still follows, in ms.
    private static let highestLag = 1_000.0

    let begin: ArchiverUsage
    let end: ArchiverUsage
    let lags: BenchFigures?
    /// Entries that Redis did not take, and entries written in all.
    let failed, written: Int

    /// Whether the archiver kept up with what was written.
    var isHeld: Bool { lags.map { $0.count > 0 && $0.at(0.95) < Self.highestLag } ?? true }

    func report(_ title: String) -> [String] {
        let events = end.events - begin.events
        let seconds = begin.time.duration(to: end.time) / .seconds(1)
        let processor = end.processor - begin.processor
        var lines = [
            String(
                format:
                    "%@: %.0f events stored in %.1f s, %.0f a second; %.0f per second of the archiver's processor time (target 20,000)",
                title, events, seconds, events / max(seconds, 0.001), events / max(processor, 0.001))
        ]
        if let lags {
            lines.append(
                "  from append to commit: p50 \(lags.text(0.5)), p95 \(lags.text(0.95)), longest \(lags.text(1)) ms (target < 1,000)"
            )
        }
        if failed > 0 { lines.append("FAILED: Redis did not take \(failed) of \(written) entries") }
        return lines
    }
}
