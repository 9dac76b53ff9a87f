import Foundation
import Logging
import NIOPosix
import PostgresClient
import RedisClient
import SessionLog
import Telemetry
import TestDatabases

@testable import ArchiverService

/// What the tests look at: every derived table as text, in a fixed order.
struct Archive {
    let pool: PostgresPool

    /// A migrated database of its own, with the connections that archivers have.
    ///
    /// - Parameter settings: of the connections, beside the archivers' own
    static func with(
        connections: Int = 4, settings: [String: String] = [:], _ body: (Archive) async throws -> Void
    ) async throws {
        try await TestPostgres.withMigratedDatabase { configuration in
            var configuration = configuration
            configuration.maximumConnections = connections
            configuration.sessionSettings = Archiver.connectionSettings.merging(settings) { $1 }
            let pool = PostgresPool(configuration, logger: TestPostgres.quiet)
            defer { pool.close() }
            try await body(Archive(pool: pool))
        }
    }

    static let tables = ["events", "conversations", "turns", "tool_calls", "lead_records", "usage", "latency_samples"]

    /// Table name to its rows as JSON, sorted.
    func contents() async throws -> [String: [String]] {
        var contents: [String: [String]] = [:]
        for table in Self.tables {
            contents[table] = try await pool.query("SELECT to_jsonb(t)::text AS row FROM parley.\(table) t ORDER BY 1")
                .map {
                    try $0.decode("row")
                }
        }
        return contents
    }

    func count(_ table: String) async throws -> Int {
        try await pool.query("SELECT count(*) AS count FROM parley.\(table)")[0].decode("count")
    }
}

extension ArchiveEntry {
    /// With fields by name.
    init(stream: String, id: String, fields: [String: RESPValue]) {
        self.init(
            stream: stream, id: id, fields: fields.flatMap { [.bytes(Array($0.key.utf8)), $0.value] },
            sessions: SessionCache())
    }
}

/// Redis for tests, on the server that `PARLEY_TEST_REDIS_URL` names. Streams are told apart by partitions that no store uses.
struct TestStreams {
    let redis: RedisClient
    let partitions: Range<Int>

    static var isAvailable: Bool { url != nil && TestPostgres.isAvailable }

    private static var url: String? {
        ProcessInfo.processInfo.environment["PARLEY_TEST_REDIS_URL"].flatMap { $0.isEmpty ? nil : $0 }
    }

    static func with(_ body: (TestStreams) async throws -> Void) async throws {
        guard let url else { throw RedisError(.invalidConfiguration, "PARLEY_TEST_REDIS_URL is not set") }
        let first = Int.random(in: 1_000...1_000_000_000)
        var configuration = try RedisConfiguration(url: url)
        // Slow machines make slow tests, not failing ones.
        configuration.commandTimeout = .seconds(60)
        try await RedisClient.withClient(
            configuration, on: MultiThreadedEventLoopGroup.singleton.next(), logger: TestPostgres.quiet
        ) { redis in
            let streams = TestStreams(redis: redis, partitions: first..<first + 2)
            try await body(streams)
            _ = try await redis.pipeline(
                streams.partitions.map { RedisCommand("DEL", .string(RedisKeys.archive(partition: $0))) })
        }
    }

    /// Adds entries as a session store does, half of the sessions to each partition.
    func add(_ events: [(session: SessionID, tenant: String, event: Event)]) async throws {
        let commands = try events.map { item in
            let stream = RedisKeys.archive(partition: partitions.lowerBound + item.session.partition % 2)
            let fields = try Conversations.fields(item.session, item.tenant, item.event)
            return RedisCommand(
                ["XADD", .string(stream), "*"] + fields.flatMap { [RedisArgument.string($0), .bytes($1)] })
        }
        for start in stride(from: 0, to: commands.count, by: 1000) {
            for answer in try await redis.pipeline(Array(commands[start..<min(start + 1000, commands.count)])) {
                _ = try answer.value()
            }
        }
    }

    /// Entries that are neither stored nor trimmed, and entries delivered and not acknowledged.
    func remaining() async throws -> (length: Int64, pending: Int64) {
        var (length, pending): (Int64, Int64) = (0, 0)
        for partition in partitions {
            let stream = RedisArgument.string(RedisKeys.archive(partition: partition))
            length += try await redis.send(RedisCommand("XLEN", stream)).integer ?? 0
            pending += try await redis.send(RedisCommand("XPENDING", stream, "archivers")).array?.first?.integer ?? 0
        }
        return (length, pending)
    }

    func archiver(_ archive: Archive, _ consumer: String, _ change: (inout ArchiverSettings) -> Void = { _ in })
        -> Archiver
    {
        var settings = ArchiverSettings()
        settings.partitions = partitions
        change(&settings)
        return Archiver(
            settings, redis: redis, pool: archive.pool, consumer: consumer, metrics: MetricsRegistry(),
            logger: TestPostgres.quiet)
    }
}
