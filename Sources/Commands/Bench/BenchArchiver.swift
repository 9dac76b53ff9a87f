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
    @Option(help: "Events per second.") var rate = 20_000
    @Option(help: "Seconds that are measured at this rate.") var duration = 20
    @Option(help: "A PostgreSQL server where databases may be made, instead of one started for this.") var postgresURL:
        String?
    @Option(help: "Keep the services' logs in this folder.") var logs: String?

    func validate() throws {
        guard (100...200_000).contains(rate) else { throw ValidationError("--rate takes 100 to 200000") }
        guard duration >= 1 else { throw ValidationError("--duration must be at least 1") }
    }

    func run() async throws {
        let postgres = try await BenchPostgres.start(postgresURL)
        do {
            try await measure(postgres)
        } catch {
            await postgres.stop()
            throw error
        }
        await postgres.stop()
    }

    private func measure(_ postgres: BenchPostgres) async throws {
        var options = LocalCluster.Options()
        (options.stores, options.workers, options.dispatchers, options.archivers) = (0, 0, 0, 1)
        options.postgresURL = postgres.url
        options.environment = ["PARLEY_LOG_LEVEL": "warning"]
        let cluster = try await LocalCluster.start(options)
        do {
            let run = try ArchiverRun(
                cluster, postgres,
                conversations: max(
                    1, rate * BenchConversation.turnMilliseconds / 1_000 / BenchConversation.offsets.count))
            print(
                "\(run.conversations) conversations, \(BenchConversation.description); this machine now: \(Bench.machineSpeed())"
            )
            fflush(nil)
            for line in try await run.atRate(seconds: duration).report("at \(rate) events a second") { print(line) }
            fflush(nil)
            for line in try await run.atLimit(events: rate * 10).report("from full streams") { print(line) }
            await run.close()
        } catch {
            await stop(cluster)
            throw error
        }
        await stop(cluster)
    }

    private func stop(_ cluster: LocalCluster) async {
        if let logs {
            do { try cluster.keepLogs(in: URL(filePath: logs)) } catch {
                print("the logs cannot be kept in '\(logs)': \(error)")
            }
        }
        await cluster.stop()
    }
}

/// The archiver of a cluster under load.
private final class ArchiverRun: Sendable {
    /// Not measured: every conversation has had a turn, and the archiver has caught up with its start.
    private static let warmUpSeconds = BenchConversation.turnMilliseconds / 1_000
    private static let probeMilliseconds = 50

    let conversations: Int
    private let cluster: LocalCluster
    private let feed: ArchiveFeed
    private let pool: PostgresPool
    /// When each probe was sent.
    private let probes = Mutex<[ContinuousClock.Instant]>([])

    init(_ cluster: LocalCluster, _ postgres: BenchPostgres, conversations: Int) throws {
        self.cluster = cluster
        self.conversations = conversations
        feed = try ArchiveFeed(redisURL: cluster.redisURL, conversations: conversations)
        pool = PostgresPool(try PostgresConfiguration(url: postgres.url), logger: BenchPostgres.quiet)
    }

    func close() async {
        pool.close()
        await feed.close()
    }

    func atRate(seconds: Int) async throws -> ArchiverResult {
        async let written = feed.converse(seconds: Self.warmUpSeconds + seconds)
        try await Task.sleep(for: .seconds(Self.warmUpSeconds))
        let begin = await ArchiverUsage(cluster)
        let lags = try await lags(seconds: seconds)
        let end = await ArchiverUsage(cluster)
        let count = try await written
        return ArchiverResult(begin: begin, end: end, lags: BenchFigures(lags), failed: feed.failed, written: count)
    }

    /// Stops the archiver, fills the streams, and starts it again.
    func atLimit(events: Int) async throws -> ArchiverResult {
        cluster.signal("archiver-1", SIGTERM)
        guard await cluster.waitForExit("archiver-1") != nil else { throw CommandError("the archiver does not end") }
        try await feed.fill(events)
        try cluster.launch("archiver-1")
        let begin = ArchiverUsage(events: 0, processor: 0)
        var end = await ArchiverUsage(cluster)
        while end.events < Double(events) {
            guard begin.time.duration(to: end.time) < .seconds(300) else {
                throw CommandError("the archiver does not get through in 300 s")
            }
            try await Task.sleep(for: .milliseconds(50))
            end = await ArchiverUsage(cluster)
        }
        return ArchiverResult(begin: begin, end: end, lags: nil, failed: feed.failed, written: events)
    }

    /// Milliseconds from the append of an entry until PostgreSQL shows it, of one every 50 ms.
    private func lags(seconds: Int) async throws -> [Double] {
        let session = try SessionID(region: "bench", partition: 0, openedAt: Int64(Date().timeIntervalSince1970))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            let count = seconds * 1_000 / Self.probeMilliseconds
            group.addTask {
                for number in 1...count {
                    self.probes.withLock { $0.append(.now) }
                    self.feed.probe(session, UInt64(number))
                    try await Task.sleep(for: .milliseconds(Self.probeMilliseconds))
                }
            }
            var lags: [Double] = []
            let deadline = ContinuousClock.now + .seconds(seconds + 30)
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
    let begin: ArchiverUsage
    let end: ArchiverUsage
    let lags: BenchFigures?
    /// Entries that Redis did not take, and entries written in all.
    let failed, written: Int

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
