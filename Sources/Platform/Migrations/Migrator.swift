package import Logging
package import PostgresClient

/// Applies migrations: forward only, each in a transaction of its own, under an advisory lock, so that any number of processes
/// may run it at the same moment.
package struct Migrator: Sendable {
    private let configuration: PostgresConfiguration
    private let migrations: [Migration]
    private let logger: Logger

    /// Chosen at random once; whoever migrates a Parley database takes this lock.
    private static let lock: Int64 = 7_293_511_204_870_016_533
    /// Migrations rewrite tables; a statement may take its time, and so may the process that holds the lock.
    private static let patience: Duration = .seconds(600)

    package init(_ configuration: PostgresConfiguration, migrations: [Migration], logger: Logger) {
        var configuration = configuration
        configuration.applicationName = "parley migrate"
        configuration.statementTimeout = Self.patience
        self.configuration = configuration
        self.migrations = migrations
        self.logger = logger
    }

    /// Applies what is pending and returns it, in order; an empty list means that there was nothing to do.
    ///
    /// - Throws: `MigrationError` naming the file, or `PostgresError` when the server is away. Migrations before the one that
    ///   failed stay applied.
    package func run() async throws -> [Migration] {
        let connection = try await PostgresConnection.connect(configuration, logger: logger)
        defer { connection.close() }
        try await acquireLock(connection)
        try await connection.script(Self.bookkeeping)
        let plan = try MigrationPlan(files: migrations, applied: try await applied(connection))
        for row in plan.unknown {
            logger.notice("the database has a migration of a newer build", metadata: ["migration": "\(row.file)"])
        }
        for migration in plan.pending { try await apply(migration, connection) }
        try await connection.query("SELECT pg_advisory_unlock($1::bigint)", [.integer(Self.lock)])
        return plan.pending
    }

    /// What `run` would do, without doing it.
    package func plan() async throws -> MigrationPlan {
        let connection = try await PostgresConnection.connect(configuration, logger: logger)
        defer { connection.close() }
        let exists: Bool = try await connection.query(
            "SELECT to_regclass('parley.schema_migrations') IS NOT NULL AS exists")[0].decode("exists")
        return try MigrationPlan(files: migrations, applied: exists ? try await applied(connection) : [])
    }

    /// The lock belongs to the connection: when this process dies, the server gives it back.
    private func acquireLock(_ connection: PostgresConnection) async throws {
        do {
            try await connection.query("SELECT pg_advisory_lock($1::bigint)", [.integer(Self.lock)])
        } catch let error as PostgresError where error.sqlState == .queryCanceled {
            throw MigrationError(
                .locked,
                "another process has been migrating for \(Self.patience); see pg_stat_activity for 'parley migrate'",
                cause: error)
        }
    }

    private func applied(_ connection: PostgresConnection) async throws -> [MigrationPlan.Applied] {
        try await connection.query("SELECT number, file, checksum FROM parley.schema_migrations ORDER BY number").map {
            row in
            MigrationPlan.Applied(
                number: try row.decode("number"), file: try row.decode("file"), checksum: try row.decode("checksum"))
        }
    }

    private func apply(_ migration: Migration, _ connection: PostgresConnection) async throws {
        do {
            try await connection.withTransaction { connection in
                try await connection.script(migration.sql)
                try await connection.query(
                    "INSERT INTO parley.schema_migrations (number, file, checksum) VALUES ($1::integer, $2, $3)",
                    [.integer(migration.number), .text(migration.file), .text(migration.checksum)])
            }
        } catch {
            throw MigrationError(.failed, "'\(migration.file)' could not be applied and was rolled back", cause: error)
        }
        logger.info("migration applied", metadata: ["migration": "\(migration.file)"])
    }

    private static let bookkeeping = """
        CREATE SCHEMA IF NOT EXISTS parley;
        CREATE TABLE IF NOT EXISTS parley.schema_migrations (
            number integer PRIMARY KEY,
            file text NOT NULL,
            checksum text NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        );
        COMMENT ON TABLE parley.schema_migrations IS 'Migrations that were applied.';
        COMMENT ON COLUMN parley.schema_migrations.number IS 'Number from the file''s name.';
        COMMENT ON COLUMN parley.schema_migrations.file IS 'The file''s name.';
        COMMENT ON COLUMN parley.schema_migrations.checksum IS 'SHA-256 of the file when it was applied.';
        COMMENT ON COLUMN parley.schema_migrations.applied_at IS 'When it was applied.';
        """
}
