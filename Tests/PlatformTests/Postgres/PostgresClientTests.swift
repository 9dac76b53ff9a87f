import PostgresClient
import TestDatabases
import Testing

@Suite(.enabled(if: TestPostgres.isAvailable, "set PARLEY_TEST_POSTGRES_URL"))
struct PostgresClientTests {
    private func withPool(
        connections: Int = 4, _ change: (inout PostgresConfiguration) -> Void = { _ in },
        _ body: (PostgresPool) async throws -> Void
    ) async throws {
        try await TestPostgres.withDatabase { configuration in
            var configuration = configuration
            configuration.maximumConnections = connections
            change(&configuration)
            let pool = PostgresPool(configuration, logger: TestPostgres.quiet)
            defer { pool.close() }
            try await body(pool)
        }
    }

    @Test func valuesOfEveryTypeSurviveARoundTrip() async throws {
        try await withPool { pool in
            let row = try await pool.query(
                """
                SELECT $1::text AS a_text, $2::bigint AS an_integer, $3::double precision AS a_number, $4::boolean AS a_flag,
                    $5::bytea AS some_bytes, $6::text[] AS some_texts, $7::text AS nothing
                """,
                [
                    .text("it's \"ünïcode\" 👋"), .integer(Int64.min), .double(1.5), .bool(true),
                    .bytes([0, 1, 254, 255]), .texts(["plain", "with \"quotes\", a comma and a \\", "", "NULL"]), .null,
                ])[0]
            #expect(try row.decode("a_text") == "it's \"ünïcode\" 👋")
            #expect(try row.decode("an_integer") == Int64.min)
            #expect(try row.decode("a_number") == 1.5)
            #expect(try row.decode("a_flag") == true)
            #expect(try row.decode("some_bytes") == [0, 1, 254, 255] as [UInt8])
            #expect(
                try row.decode("some_texts") == ["plain", "with \"quotes\", a comma and a \\", "", "NULL"] as [String])
            #expect(try row.decodeIfPresent("nothing", as: String.self) == nil)
        }
    }

    @Test func arraysCarryRows() async throws {
        try await withPool { pool in
            let rows = try await pool.query(
                """
                SELECT * FROM unnest($1::text[], $2::bigint[], $3::double precision[], $4::boolean[], $5::bytea[], $6::timestamptz[])
                    AS t(a, b, c, d, e, f)
                """,
                [
                    .texts(["x", nil]), .integers([-1, nil]), .doubles([0.25, nil]), .bools([false, nil]),
                    .byteStrings([[1], nil]), .timestamps(milliseconds: [1_700_000_000_123, nil]),
                ])
            #expect(rows.count == 2)
            #expect(rows[0].texts == ["x", "-1", "0.25", "f", "\\x01", "2023-11-14 22:13:20.123+00"])
            #expect(rows[1].texts == [nil, nil, nil, nil, nil, nil])
            #expect(try await pool.query("SELECT cardinality($1::text[])", [.texts([])])[0].texts == ["0"])
        }
    }

    @Test func decodingErrorsNameTheColumn() async throws {
        try await withPool { pool in
            let row = try await pool.query("SELECT 'abc' AS word, NULL::text AS nothing")[0]
            #expect {
                try row.decode("word", as: Int.self)
            } throws: {
                "\($0)".contains("column 'word'") && "\($0)".contains("an integer")
            }
            #expect {
                try row.decode("nothing", as: String.self)
            } throws: {
                "\($0)".contains("column 'nothing'") && "\($0)".contains("NULL")
            }
            #expect {
                try row.decode("missing", as: String.self)
            } throws: {
                "\($0)".contains("no column 'missing'")
            }
        }
    }

    @Test func serverErrorsCarryTheirStateAndLeaveTheConnectionUsable() async throws {
        try await withPool(connections: 1) { pool in
            let error = await #expect(throws: PostgresError.self) {
                try await pool.query("SELECT * FROM missing_table")
            }
            #expect(error?.sqlState == .undefinedTable)
            #expect(error?.description.contains("missing_table") == true)
            let one: Int = try await pool.query("SELECT 1 AS one")[0].decode("one")
            #expect(one == 1)
        }
    }

    @Test func textWithNulIsRefusedInsteadOfCutOff() async throws {
        try await withPool { pool in
            let error = await #expect(throws: PostgresError.self) {
                try await pool.query("SELECT $1::text", [.text("a\0b")])
            }
            #expect(error?.code == .encoding)
        }
    }

    @Test func pipelineAnswersInOrderAndIsOneTransaction() async throws {
        try await withPool { pool in
            try await pool.query("CREATE TABLE t (n bigint PRIMARY KEY)")
            let insert = "INSERT INTO t VALUES ($1::bigint)"
            let answers = try await pool.withConnection { connection in
                try await connection.pipeline(
                    (1...500).map { PostgresStatement(insert, [.integer($0)]) } + [
                        PostgresStatement("SELECT count(*) AS count FROM t")
                    ])
            }
            #expect(answers.count == 501)
            #expect(answers[0].affected == 1)
            #expect(try answers[500][0].decode("count") == 500)

            let error = await #expect(throws: PostgresError.self) {
                try await pool.withConnection { connection in
                    try await connection.pipeline([
                        PostgresStatement(insert, [501]), PostgresStatement(insert, [1]),
                        PostgresStatement(insert, [502]),
                    ])
                }
            }
            #expect(error?.sqlState == .uniqueViolation)
            #expect(try await pool.query("SELECT count(*) AS count FROM t")[0].decode("count") == 500)
        }
    }

    @Test func pipelineLargerThanAllBuffersCompletes() async throws {
        try await withPool { pool in
            let text = String(repeating: "x", count: 200_000)
            let answers = try await pool.withConnection { connection in
                try await connection.pipeline(
                    (0..<60).map { _ in PostgresStatement("SELECT $1::text AS text", [.text(text)]) })
            }
            #expect(answers.count == 60)
            #expect(try answers[59][0].decode("text") == text)
        }
    }

    @Test func transactionsCommitAndRollBack() async throws {
        struct Stop: Error {}
        try await withPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (n bigint)")
            try await pool.withTransaction { try await $0.query("INSERT INTO t VALUES (1)") }
            await #expect(throws: Stop.self) {
                try await pool.withTransaction { connection in
                    try await connection.query("INSERT INTO t VALUES (2)")
                    throw Stop()
                }
            }
            // A failure that the body swallows must not look like a commit.
            await #expect(throws: PostgresError.self) {
                try await pool.withTransaction { connection in
                    try await connection.query("INSERT INTO t VALUES (3)")
                    _ = try? await connection.query("SELECT 1/0")
                }
            }
            #expect(try await pool.query("SELECT array_agg(n)::text AS numbers FROM t")[0].decode("numbers") == "{1}")
        }
    }

    @Test func aConnectionLeftInATransactionIsCleanedBeforeTheNextUse() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (n bigint)")
            try await pool.withConnection { connection in
                try await connection.script("BEGIN; INSERT INTO t VALUES (1)")
            }
            #expect(try await pool.query("SELECT count(*) AS count FROM t")[0].decode("count") == 0)
        }
    }

    @Test func cancellationStopsTheStatementOnTheServer() async throws {
        try await withPool(connections: 2) { pool in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await pool.query("SELECT pg_sleep(600)") }
                try await waitUntil(
                    pool,
                    "SELECT count(*) = 1 AS is_true FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)' AND state = 'active'"
                )
                group.cancelAll()
                let error = await #expect(throws: PostgresError.self) { try await group.next() }
                #expect(error?.code == .cancelled)
            }
            try await waitUntil(
                pool, "SELECT count(*) = 0 AS is_true FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'")
            // The cancelled connection was replaced.
            let one: Int = try await pool.query("SELECT 1 AS one")[0].decode("one")
            #expect(one == 1)
        }
    }

    @Test func statementsHaveADeadline() async throws {
        try await withPool(connections: 1, { $0.statementTimeout = .milliseconds(50) }) { pool in
            let error = await #expect(throws: PostgresError.self) { try await pool.query("SELECT pg_sleep(600)") }
            #expect(error?.sqlState == .queryCanceled)
            #expect(error?.isTransient == true)
        }
    }

    @Test func connectionsThatTheServerClosedAreReplaced() async throws {
        try await withPool(connections: 2) { pool in
            let first: Int = try await pool.query("SELECT pg_backend_pid() AS pid")[0].decode("pid")
            let other = try await PostgresConnection.connect(pool.configuration, logger: TestPostgres.quiet)
            defer { other.close() }
            try await other.query("SELECT pg_terminate_backend($1::integer, 5000)", [.integer(first)])
            let second: Int = try await pool.query("SELECT pg_backend_pid() AS pid")[0].decode("pid")
            #expect(first != second)
        }
    }

    @Test func losingTheConnectionInMidStatementIsSaidSo() async throws {
        try await withPool(connections: 1) { pool in
            let error = await #expect(throws: PostgresError.self) {
                try await pool.query("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(600)")
            }
            #expect(error?.isTransient == true)
            let one: Int = try await pool.query("SELECT 1 AS one")[0].decode("one")
            #expect(one == 1)
        }
    }

    @Test func aFullPoolServesEveryoneInTheEnd() async throws {
        try await withPool(connections: 2) { pool in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for number in 0..<50 {
                    group.addTask {
                        try await pool.query("SELECT $1::bigint AS number", [.integer(number)])[0].decode("number")
                    }
                }
                var seen: Set<Int> = []
                for try await number in group { seen.insert(number) }
                #expect(seen == Set(0..<50))
            }
            #expect(pool.load == (0, 0))
        }
    }

    @Test func waitingForAConnectionHasADeadline() async throws {
        try await withPool(connections: 1, { $0.acquireTimeout = .milliseconds(20) }) { pool in
            try await pool.withConnection { _ in
                let error = await #expect(throws: PostgresError.self) { try await pool.query("SELECT 1") }
                #expect(error?.code == .poolExhausted)
            }
            try await pool.ping()
        }
    }

    @Test func aClosedPoolRefuses() async throws {
        try await withPool { pool in
            try await pool.ping()
            pool.close()
            let error = await #expect(throws: PostgresError.self) { try await pool.ping() }
            #expect(error?.code == .closed)
        }
    }

    @Test func preparedStatementsSurviveAChangeOfTheTable() async throws {
        try await withPool(connections: 1) { pool in
            try await pool.query("CREATE TABLE t (n bigint)")
            let sql = "SELECT * FROM t"
            try await pool.query(sql)
            try await pool.query("ALTER TABLE t ADD COLUMN m text")
            // The server refuses the old plan once; after that the statement is prepared anew.
            _ = try? await pool.query(sql)
            #expect(try await pool.query(sql).columns == ["n", "m"])
        }
    }

    /// Asks until the answer is true; the server's own pace, bounded by the number of questions.
    private func waitUntil(_ pool: PostgresPool, _ sql: String) async throws {
        for _ in 0..<2000 {
            if try await pool.query(sql)[0].decode("is_true") { return }
            try await pool.query("SELECT pg_sleep(0.005)")
        }
        Issue.record("never true: \(sql)")
    }
}

/// No server needed: nobody listens.
@Suite struct PostgresUnreachableTests {
    @Test func theErrorNamesTheServerAndNotThePassword() async throws {
        let configuration = try PostgresConfiguration(url: "postgresql://parley:hush-hush@127.0.0.1:1/parley")
        let pool = PostgresPool(configuration, logger: TestPostgres.quiet)
        let error = await #expect(throws: PostgresError.self) { try await pool.ping() }
        #expect(error?.code == .unreachable)
        #expect(error?.isTransient == true)
        #expect(error?.description.contains("127.0.0.1:1") == true)
        #expect(error?.description.contains("hush") == false)
    }
}
