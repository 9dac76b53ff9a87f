import Foundation
import PostgresClient
import TestDatabases
import Testing

/// What `migrations/` makes of an empty database.
@Suite(.enabled(if: TestPostgres.isAvailable, "set PARLEY_TEST_POSTGRES_URL"))
struct SchemaTests {
    private func withPool(_ body: (PostgresPool) async throws -> Void) async throws {
        try await TestPostgres.withMigratedDatabase { configuration in
            let pool = PostgresPool(configuration, logger: TestPostgres.quiet)
            defer { pool.close() }
            try await body(pool)
        }
    }

    @Test func everyTableViewColumnAndFunctionHasAComment() async throws {
        try await withPool { pool in
            let silent = try await pool.query(
                """
                SELECT c.oid::regclass::text AS name FROM pg_class c
                WHERE relnamespace IN ('parley'::regnamespace, 'analytics'::regnamespace) AND relkind IN ('r', 'p', 'v', 'm')
                    AND obj_description(c.oid, 'pg_class') IS NULL
                UNION ALL
                SELECT c.oid::regclass || '.' || attname FROM pg_class c JOIN pg_attribute a ON attrelid = c.oid
                WHERE relnamespace IN ('parley'::regnamespace, 'analytics'::regnamespace) AND relkind IN ('r', 'p', 'v', 'm')
                    AND attnum > 0 AND NOT attisdropped AND col_description(c.oid, attnum) IS NULL
                UNION ALL
                SELECT oid::regprocedure::text FROM pg_proc
                WHERE pronamespace IN ('parley'::regnamespace, 'analytics'::regnamespace) AND obj_description(oid, 'pg_proc') IS NULL
                UNION ALL
                SELECT nspname FROM pg_namespace WHERE nspname IN ('parley', 'analytics') AND obj_description(oid, 'pg_namespace') IS NULL
                """)
            #expect(try silent.map { try $0.decode("name", as: String.self) } == [])
        }
    }

    @Test func everyTableOfRecordsNamesTheTenant() async throws {
        try await withPool { pool in
            let without = try await pool.query(
                """
                SELECT relname AS name FROM pg_class c
                WHERE relnamespace = 'parley'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
                    AND relname NOT IN ('schema_migrations', 'directory_version', 'partitioned_tables', 'prices')
                    AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant')
                """)
            #expect(try without.map { try $0.decode("name", as: String.self) } == [])
        }
    }

    @Test func partitionsAreMadeOnceAndTakeOverStrayRows() async throws {
        try await withPool { pool in
            let insert = """
                INSERT INTO parley.turns (opened_on, session, fence, sequence, tenant, role, number, kind, at, started_ms, text,
                    applied_fence, applied_sequence)
                VALUES ('2031-03-31', 's', 1, 1, 't', 'user', 1, 'speech', now(), 0, 'hello', 1, 1)
                """
            try await pool.query(insert)
            let stray = "SELECT row_count FROM parley.default_partition_rows() WHERE name = 'turns'"
            #expect(try await pool.query(stray)[0].decode("row_count") == 1)

            let made = "SELECT parley.ensure_partitions('2031-03-05', '2031-04-30') AS made"
            #expect(try await pool.query(made)[0].decode("made") == 14)
            #expect(try await pool.query(made)[0].decode("made") == 0)
            #expect(try await pool.query(stray)[0].decode("row_count") == 0)
            #expect(try await pool.query("SELECT text FROM parley.turns_2031_03")[0].decode("text") == "hello")
        }
    }

    @Test func partitionsCanBeMadeBySeveralAtOnce() async throws {
        try await withPool { pool in
            let total = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await pool.query("SELECT parley.ensure_partitions('2032-01-01', '2032-03-01') AS made")[0]
                            .decode("made")
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(total == 21)
        }
    }

    @Test func retentionDropsWholeMonthsOnly() async throws {
        try await withPool { pool in
            try await pool.query("SELECT parley.ensure_partitions('2020-01-01', '2020-04-01')")
            try await pool.query("UPDATE parley.partitioned_tables SET keep_months = 2 WHERE name = 'events'")
            #expect(
                try await pool.query("SELECT parley.apply_retention('2020-04-15') AS dropped")[0].decode("dropped") == 1
            )
            let left = try await pool.query(
                "SELECT relname AS name FROM pg_class WHERE relname ~ '^(events|turns)_2020_..$' AND relkind = 'r' ORDER BY 1"
            )
            #expect(
                try left.map { try $0.decode("name", as: String.self) } == [
                    "events_2020_02", "events_2020_03", "events_2020_04",
                    "turns_2020_01", "turns_2020_02", "turns_2020_03", "turns_2020_04",
                ])
        }
    }

    @Test func storedAgentVersionsCannotBeChanged() async throws {
        try await withPool { pool in
            try await pool.query("INSERT INTO parley.tenants (tenant, name) VALUES ('t', 'T')")
            try await pool.query(
                "INSERT INTO parley.agent_versions (tenant, hash, name, definition) VALUES ('t', repeat('a', 64), 'n', 'one')"
            )
            await #expect(throws: PostgresError.self) {
                try await pool.query("UPDATE parley.agent_versions SET definition = 'two'")
            }
        }
    }

    @Test func everyExampleOfTheAnalystsGuideRuns() async throws {
        let guide = try String(contentsOfFile: TestPostgres.repository + "/docs/analytics.md", encoding: .utf8)
        let examples = guide.components(separatedBy: "```sql\n").dropFirst().compactMap {
            $0.components(separatedBy: "```").first
        }
        #expect(examples.count >= 8)
        try await withPool { pool in
            for example in examples {
                await #expect(throws: Never.self, "\(example)") {
                    try await pool.withConnection { try await $0.script(example) }
                }
            }
        }
    }

    @Test func theGuideNamesEveryView() async throws {
        let guide = try String(contentsOfFile: TestPostgres.repository + "/docs/analytics.md", encoding: .utf8)
        try await withPool { pool in
            let views = try await pool.query("SELECT viewname AS name FROM pg_views WHERE schemaname = 'analytics'")
            for row in views {
                let name: String = try row.decode("name")
                #expect(guide.contains("analytics.\(name)"))
            }
        }
    }

    @Test func analystsReadTheViewsAndNothingElse() async throws {
        try await withPool { pool in
            let row = try await pool.query(
                """
                SELECT has_table_privilege('parley_analyst', 'analytics.leads', 'SELECT') AS may_read,
                    has_table_privilege('parley_analyst', 'analytics.leads', 'INSERT') AS may_write,
                    has_schema_privilege('parley_analyst', 'parley', 'USAGE') AS may_look_inside
                """)[0]
            #expect(try row.decode("may_read") == true)
            #expect(try row.decode("may_write") == false)
            #expect(try row.decode("may_look_inside") == false)
        }
    }
}
