package import Logging
package import PostgresClient
package import RedisClient
import Resilience
import ServiceLifecycle
package import Telemetry

/// Moves the archive streams into PostgreSQL, until it is asked to end.
///
/// Entries are acknowledged after the commit that stored them, so they arrive at least once; storing an event twice changes nothing.
/// Any number of archivers share the streams. While PostgreSQL is away the batch in hand is tried again and nothing more is read:
/// entries wait in Redis, where the minutes left are measured.
package struct Archiver: Service, CustomStringConvertible {
    private let settings: ArchiverSettings
    private let streams: ArchiveStreams
    private let lanes: [ArchiveStreams]
    private let writer: BatchWriter
    private let upkeep: Upkeep
    private let metrics: ArchiverMetrics
    private let logger: Logger
    private let pool: PostgresPool
    private let clock = ContinuousClock()

    /// - Parameter consumer: unique among all archivers that run now or ran lately.
    package init(
        _ settings: ArchiverSettings, redis: RedisClient, pool: PostgresPool, consumer: String,
        metrics: MetricsRegistry,
        logger: Logger
    ) {
        self.settings = settings
        self.pool = pool
        self.logger = logger
        self.metrics = ArchiverMetrics(metrics)
        streams = ArchiveStreams(redis, partitions: settings.partitions, consumer: consumer)
        let count = max(1, min(settings.lanes, settings.partitions.count))
        lanes = (0..<count).map { lane in
            ArchiveStreams(
                redis, partitions: settings.partitions.filter { $0 % count == lane }, consumer: consumer)
        }
        writer = BatchWriter(pool)
        upkeep = Upkeep(pool, monthsAhead: settings.monthsAhead, metrics: self.metrics, logger: logger)
    }

    package var description: String { "archiver" }

    /// What the planner should know of the connections: everything here is found by key, also in tables that are still empty.
    package static let connectionSettings = [
        "enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off",
    ]

    /// Ends after the batch in hand when the service is asked to, or when cancelled.
    package func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await archiveAll() }
            group.addTask {
                await repeatedly(every: settings.trimInterval, "trimming the archive streams") { try await trim() }
            }
            group.addTask {
                await repeatedly(every: settings.upkeepInterval, "partition upkeep") { try await keepUp() }
            }
            group.addTask { await watchMemory() }
            await group.next()
            group.cancelAll()
        }
        for streams in lanes + [streams] { await streams.close() }
    }

    /// Throws unless Redis answers: for `/readyz`.
    package func checkRedis() async throws { try await streams.ping() }

    /// Throws unless PostgreSQL answers and has been migrated: for `/readyz`.
    package func checkPostgres() async throws {
        try await pool.query("SELECT FROM parley.partitioned_tables LIMIT 1")
    }

    // MARK: - Archiving

    private var isEnding: Bool { Task.isCancelled || Task.isShuttingDownGracefully }

    /// Returns when all lanes have ended with the batch in hand.
    private func archiveAll() async {
        await withTaskGroup(of: Void.self) { group in
            for (lane, streams) in lanes.enumerated() { group.addTask { await archive(streams, lane) } }
        }
    }

    private func archive(_ streams: ArchiveStreams, _ lane: Int) async {
        var nextClaim = clock.now
        var hasGroups = false
        var failures = 0
        while !isEnding {
            do {
                if !hasGroups {
                    try await streams.createGroups()
                    hasGroups = true
                }
                if clock.now >= nextClaim {
                    try await store(
                        streams.claim(idle: settings.claimAfter, count: settings.batchEntries), streams, lane)
                    nextClaim = clock.now + settings.claimInterval
                }
                try await store(streams.read(count: settings.batchEntries, wait: settings.readWait), streams, lane)
                failures = 0
            } catch is CancellationError {
                return
            } catch {
                // The streams or the group may be gone with a Redis that lost its data.
                hasGroups = false
                await pause(&failures, "Redis does not give entries", error)
            }
        }
    }

    /// Returns when the entries are committed and acknowledged. Tries again for as long as PostgreSQL is away; ends early, with the
    /// entries still pending, only when the service ends.
    private func store(_ entries: [ArchiveEntry], _ streams: ArchiveStreams, _ lane: Int) async throws {
        guard !entries.isEmpty else { return metrics.idle(lane: lane) }
        let outcome = try await write(entries, lane)
        if outcome.deadLetters > 0 {
            logger.error(
                "entries could not be stored and were put aside",
                metadata: ["count": "\(outcome.deadLetters)", "table": "parley.dead_letters"])
        }
        try await streams.acknowledge(entries)
        let closed = Set(entries.compactMap(\.closedSession))
        if !closed.isEmpty { try await streams.shortenLife(of: closed, to: settings.closedLife) }
    }

    private func write(_ entries: [ArchiveEntry], _ lane: Int) async throws -> BatchWriter.Outcome {
        let start = clock.now
        var failures = 0
        while true {
            do {
                let outcome = try await writer.write(entries)
                let lag = Self.oldest(entries).map { Timestamp.now() - $0 }
                metrics.batch(outcome, took: clock.now - start, lagMilliseconds: lag, lane: lane)
                if failures > 0 { logger.notice("PostgreSQL takes events again") }
                return outcome
            } catch {
                metrics.failed()
                if isEnding { throw CancellationError() }
                await pause(&failures, "PostgreSQL does not take events; they wait in Redis", error)
            }
        }
    }

    /// When the oldest entry was added: entries of one stream are in order.
    private static func oldest(_ entries: [ArchiveEntry]) -> Int64? {
        var stream: String?
        var oldest: Int64?
        for entry in entries where entry.stream != stream {
            stream = entry.stream
            oldest = [oldest, entry.addedAt].compactMap(\.self).min()
        }
        return oldest
    }

    /// Logs the first failure of a row and every tenth, and waits a little longer each time.
    private func pause(_ failures: inout Int, _ what: Logger.Message, _ error: any Error) async {
        if failures.isMultiple(of: 10) {
            logger.error(what, metadata: ["error": "\(error)", "attempt": "\(failures + 1)"])
        }
        var random = SystemRandomNumberGenerator()
        let delay = Backoff(initial: .milliseconds(100), maximum: .seconds(2)).delay(retry: failures, using: &random)
        failures += 1
        try? await clock.sleep(for: delay)
    }

    // MARK: - Around it

    private func trim() async throws {
        for (stream, count) in try await streams.trim() { metrics.set(waiting: count, stream: stream) }
    }

    private func keepUp() async throws {
        try await upkeep.run()
        try await streams.forgetConsumers(idle: .seconds(3600))
    }

    private func watchMemory() async {
        var outlook = MemoryOutlook()
        await repeatedly(every: .seconds(10), "reading Redis's memory") {
            let memory = try await streams.memory()
            outlook.add(used: memory.used, limit: memory.limit, at: clock.now)
            if let minutes = outlook.minutesLeft { metrics.set(minutesLeft: minutes) }
        }
    }

    /// Failures here are logged, not fatal: the work is soon tried again, and archiving does not wait for it.
    private func repeatedly(every interval: Duration, _ what: String, _ body: () async throws -> Void) async {
        while !isEnding {
            var pause = interval
            do {
                try await body()
            } catch {
                pause = min(interval, .seconds(30))
                if !isEnding { logger.warning("\(what) failed", metadata: ["error": "\(error)"]) }
            }
            try? await clock.sleep(for: pause)
        }
    }
}

// MARK: - For tests

extension Archiver {
    /// One cycle: take over what others left, read what is new, store it.
    func step() async throws {
        try await streams.createGroups()
        try await store(streams.claim(idle: settings.claimAfter, count: settings.batchEntries), streams, 0)
        try await store(streams.read(count: settings.batchEntries, wait: .milliseconds(1)), streams, 0)
    }

    func trimOnce() async throws { try await trim() }

    /// Entries not yet delivered or not acknowledged.
    func waiting() async throws -> Int { try await streams.trim().values.reduce(0, +) }
}
