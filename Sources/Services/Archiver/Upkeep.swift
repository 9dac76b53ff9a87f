import Logging
import PostgresClient

/// Partitions made ahead, months no longer kept dropped, default partitions watched.
struct Upkeep: Sendable {
    private let pool: PostgresPool
    private let monthsAhead: Int
    private let metrics: ArchiverMetrics
    private let logger: Logger

    init(_ pool: PostgresPool, monthsAhead: Int, metrics: ArchiverMetrics, logger: Logger) {
        self.pool = pool
        self.monthsAhead = monthsAhead
        self.metrics = metrics
        self.logger = logger
    }

    /// Safe to be run by several archivers at once.
    func run() async throws {
        try await makePartitions()
        let dropped: Int = try await first(pool.query("SELECT parley.apply_retention() AS dropped")).decode("dropped")
        if dropped > 0 { logger.notice("months no longer kept were dropped", metadata: ["partitions": "\(dropped)"]) }
        let forgotten: Int = try await first(pool.query("SELECT parley.forget_conversations() AS forgotten")).decode("forgotten")
        if forgotten > 0 { logger.notice("what was said in conversations past their retention was deleted", metadata: ["conversations": "\(forgotten)"]) }
        for row in try await pool.query("SELECT name, row_count FROM parley.default_partition_rows()") {
            let (table, count): (String, Int) = (try row.decode("name"), try row.decode("row_count"))
            metrics.set(defaultRows: count, table: table)
            if count > 0 {
                logger.warning("rows in a default partition", metadata: ["table": "\(table)", "rows": "\(count)"])
            }
        }
    }

    /// One transaction a partition: it locks the default partition of its table, and holding several of those while batches are
    /// written could end in a deadlock.
    private func makePartitions() async throws {
        let missing = try await pool.query(
            """
            SELECT name, month::date::text AS month FROM parley.partitioned_tables,
                generate_series(date_trunc('month', now()), date_trunc('month', now()) + make_interval(months => $1::integer), '1 month')
                    AS month
            ORDER BY name, month
            """, [.integer(monthsAhead)])
        for row in missing {
            let (table, month): (String, String) = (try row.decode("name"), try row.decode("month"))
            let answer = try await pool.query(
                "SELECT parley.create_partition($1, $2::date) AS was_made", [.text(table), .text(month)])
            if try first(answer).decode("was_made", as: Bool.self) {
                logger.info("partition made", metadata: ["table": "\(table)", "month": "\(month)"])
            }
        }
    }

    private func first(_ rows: PostgresRows) throws -> PostgresRow {
        guard let row = rows.first else {
            throw ArchiverError(.notMigrated, "the database gave no answer; run `parley migrate`")
        }
        return row
    }
}
