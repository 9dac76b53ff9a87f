import Migrations
import PostgresClient
import TestDatabases
import Testing

@Suite struct MigrationPlanTests {
    private func applied(_ migration: Migration) -> MigrationPlan.Applied {
        MigrationPlan.Applied(number: migration.number, file: migration.file, checksum: migration.checksum)
    }

    @Test func onlyWhatIsMissingIsPending() throws {
        let first = try Migration(file: "0001_a.sql", sql: "SELECT 1")
        let second = try Migration(file: "0002_b.sql", sql: "SELECT 2")
        let plan = try MigrationPlan(files: [first, second], applied: [applied(first)])
        #expect(plan.pending == [second])
        #expect(plan.unknown.isEmpty)
    }

    @Test func anEditedFileIsRefusedByName() throws {
        let before = try Migration(file: "0001_a.sql", sql: "SELECT 1")
        let after = try Migration(file: "0001_a.sql", sql: "SELECT 2")
        let error = #expect(throws: MigrationError.self) {
            try MigrationPlan(files: [after], applied: [applied(before)])
        }
        #expect(error?.code == .changed)
        #expect(error?.message.contains("0001_a.sql") == true)
    }

    @Test func aFileSlippedInBeforeAppliedOnesIsRefused() throws {
        let first = try Migration(file: "0001_a.sql", sql: "SELECT 1")
        let third = try Migration(file: "0003_c.sql", sql: "SELECT 3")
        let second = try Migration(file: "0002_b.sql", sql: "SELECT 2")
        let error = #expect(throws: MigrationError.self) {
            try MigrationPlan(files: [first, second, third], applied: [applied(first), applied(third)])
        }
        #expect(error?.code == .outOfOrder)
    }

    @Test func migrationsOfANewerBuildAreLeftAlone() throws {
        let first = try Migration(file: "0001_a.sql", sql: "SELECT 1")
        let newer = MigrationPlan.Applied(number: 9, file: "0009_z.sql", checksum: "x")
        let plan = try MigrationPlan(files: [first], applied: [applied(first), newer])
        #expect(plan.pending.isEmpty)
        #expect(plan.unknown == [newer])
    }

    @Test(arguments: ["1_a.sql", "0001-a.sql", "0001_A.sql", "0001_.sqlx"])
    func badNamesAreRefused(_ name: String) {
        let error = #expect(throws: MigrationError.self) { try Migration(file: name, sql: "") }
        #expect(error?.message.contains(name) == true)
    }

    @Test func aMissingFolderIsNamed() {
        let error = #expect(throws: MigrationError.self) { try Migration.load(directory: "/nowhere/migrations") }
        #expect(error?.message.contains("/nowhere/migrations") == true)
        #expect(error?.message.contains("PARLEY_MIGRATIONS_DIR") == true)
    }
}

@Suite(.enabled(if: TestPostgres.isAvailable, "set PARLEY_TEST_POSTGRES_URL"))
struct MigratorTests {
    @Test func severalProcessesAtOnceApplyEachMigrationOnce() async throws {
        let migrations = try (1...5).map { number in
            try Migration(
                file: "000\(number)_step.sql",
                sql: """
                    CREATE TABLE step_\(number) (n integer);
                    INSERT INTO step_\(number) VALUES (\(number));
                    """)
        }
        try await TestPostgres.withDatabase { configuration in
            let counts = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        try await Migrator(configuration, migrations: migrations, logger: TestPostgres.quiet).run()
                            .count
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(counts.sorted() == [0, 0, 0, 0, 0, 5])
            let pool = PostgresPool(configuration, logger: TestPostgres.quiet)
            defer { pool.close() }
            #expect(
                try await pool.query("SELECT count(*) AS count FROM parley.schema_migrations")[0].decode("count") == 5)
            #expect(try await pool.query("SELECT count(*) AS count FROM step_5")[0].decode("count") == 1)
        }
    }

    @Test func aFailingMigrationIsRolledBackAndNamed() async throws {
        let good = try Migration(file: "0001_good.sql", sql: "CREATE TABLE good (n integer)")
        let bad = try Migration(file: "0002_bad.sql", sql: "CREATE TABLE half (n integer); SELECT 1/0;")
        try await TestPostgres.withDatabase { configuration in
            let migrator = Migrator(configuration, migrations: [good, bad], logger: TestPostgres.quiet)
            let error = await #expect(throws: MigrationError.self) { try await migrator.run() }
            #expect(error?.code == .failed)
            #expect(error?.message.contains("0002_bad.sql") == true)
            let pending = try await migrator.plan().pending
            #expect(pending == [bad])
            let pool = PostgresPool(configuration, logger: TestPostgres.quiet)
            defer { pool.close() }
            #expect(try await pool.query("SELECT to_regclass('half') IS NULL AS gone")[0].decode("gone") == true)
        }
    }
}
