import Foundation
import PostgresClient
import RedisClient
import SessionLog
import SwiftProtobuf
import TestDatabases
import Testing

@testable import ArchiverService

@Suite(.enabled(if: TestPostgres.isAvailable, "set PARLEY_TEST_POSTGRES_URL"))
struct BatchWriterTests {
    private func batches(_ entries: [ArchiveEntry], of size: Int) -> [[ArchiveEntry]] {
        stride(from: 0, to: entries.count, by: size).map { Array(entries[$0..<min($0 + size, entries.count)]) }
    }

    /// Sessions opened on both sides of a month's end, taken over in the middle, their last events in the next month.
    private func conversations() throws -> [ArchiveEntry] { try Conversations(sessions: 6, turns: 5).entries() }

    private func contents(after deliver: (BatchWriter) async throws -> Void) async throws -> [String: [String]] {
        var contents: [String: [String]] = [:]
        try await Archive.with { archive in
            try await archive.pool.query("SELECT parley.ensure_partitions('2026-10-01', '2026-11-30')")
            try await deliver(BatchWriter(archive.pool))
            contents = try await archive.contents()
        }
        return contents
    }

    @Test func whatWasSaidIsDeletedAfterTheRetentionOfTheConversation() async throws {
        let entries = try Conversations(sessions: 3, turns: 2, forgetful: 1).entries()
        try await Archive.with { archive in
            try await archive.pool.query("SELECT parley.ensure_partitions('2026-10-01', '2026-11-30')")
            _ = try await BatchWriter(archive.pool).write(entries)
            func forget(_ day: String) async throws -> Int {
                let rows = try await archive.pool.query("SELECT parley.forget_conversations($1::timestamptz) AS count", [.text(day)])
                return try #require(rows.first).decode("count")
            }
            func count(_ table: String) async throws -> Int {
                let rows = try await archive.pool.query("SELECT count(DISTINCT session)::integer AS count FROM parley.\(table)")
                return try #require(rows.first).decode("count")
            }
            #expect(try await forget("2026-11-05") == 0)
            #expect(try await count("turns") == 3)
            #expect(try await forget("2026-11-20") == 1)
            #expect(try await forget("2026-11-21") == 0, "once")
            for table in ["events", "turns", "tool_calls", "lead_records"] { #expect(try await count(table) == 2, "\(table)") }
            #expect(try await count("conversations") == 3)
            let rows = try await archive.pool.query(
                "SELECT count(*)::integer AS count FROM parley.conversations WHERE forgotten_at IS NOT NULL AND parameters IS NULL")
            #expect(try #require(rows.first).decode("count", as: Int.self) == 1)
        }
    }

    @Test func batchesTwiceAndInReverseGiveTheSameTablesAsOnceInOrder() async throws {
        let entries = try conversations()
        let inOrder = try await contents { writer in
            for batch in batches(entries, of: 37) { _ = try await writer.write(batch) }
        }
        let expected = entries.count
        #expect(inOrder["events"]?.count == expected)
        #expect(inOrder["turns"]?.count == 6 * 5 * 2)
        #expect(inOrder["conversations"]?.count == 6)
        #expect(inOrder["tool_calls"]?.count == 30)
        #expect(inOrder["lead_records"]?.count == 30)
        #expect(inOrder["latency_samples"]?.count == 90)

        let reversed = try await contents { writer in
            for batch in batches(entries, of: 37).reversed() {
                _ = try await writer.write(batch)
                let again = try await writer.write(batch)
                #expect(again.stored == 0)
                #expect(again.duplicates == batch.count)
            }
        }
        for table in Archive.tables { #expect(reversed[table] == inOrder[table], "\(table)") }

        let singly = try await contents { writer in
            for entry in entries.reversed() { _ = try await writer.write([entry]) }
            for batch in batches(entries, of: 50) { _ = try await writer.write(batch) }
        }
        for table in Archive.tables { #expect(singly[table] == inOrder[table], "\(table)") }
    }

    /// A plan made while a month has few conversations must not read the whole month for each of them when it has many.
    @Test func conversationsAreFoundByTheirKey() async throws {
        // So the smallest index that has any of the columns seems the best, as it may in a young month.
        let settings = ["random_page_cost": "1000", "plan_cache_mode": "force_generic_plan"]
        try await Archive.with(connections: 1, settings: settings) { archive in
            try await archive.pool.query("SELECT parley.ensure_partitions('2026-10-01', '2026-11-30')")
            let writer = BatchWriter(archive.pool)
            for batch in batches(try Conversations(sessions: 400, turns: 1).entries(), of: 400) {
                _ = try await writer.write(batch)
            }
            try await archive.pool.query("SELECT pg_stat_force_next_flush()")
            let answer = try await archive.pool.query(
                """
                SELECT sum(idx_tup_read) FILTER (WHERE indexrelname LIKE '%pkey')::integer AS by_key,
                    sum(idx_tup_read) FILTER (WHERE indexrelname NOT LIKE '%pkey')::integer AS otherwise
                FROM pg_stat_user_indexes WHERE relname LIKE 'conversations%'
                """)
            #expect(try answer[0].decode("by_key", as: Int.self) > 0)
            #expect(try answer[0].decode("otherwise", as: Int.self) == 0)
        }
    }

    @Test func aBatchThatIsPartlyKnownStoresTheRest() async throws {
        let entries = try conversations()
        let whole = try await contents { writer in _ = try await writer.write(entries) }
        let overlapping = try await contents { writer in
            _ = try await writer.write(Array(entries[..<150]))
            let rest = try await writer.write(Array(entries[100...]))
            #expect(rest.stored == entries.count - 150)
            #expect(rest.duplicates == 50)
        }
        for table in Archive.tables { #expect(overlapping[table] == whole[table], "\(table)") }
    }

    @Test func severalWritersOfTheSameSessionsAtOnceAgree() async throws {
        let entries = try conversations()
        let whole = try await contents { writer in _ = try await writer.write(entries) }
        let together = try await contents { writer in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for offset in 0..<4 {
                    let mine = batches(entries, of: 20).enumerated().filter {
                        $0.offset % 4 == offset || $0.offset % 4 == (offset + 1) % 4
                    }
                    let ordered = offset.isMultiple(of: 2) ? mine.map(\.element) : mine.map(\.element).reversed()
                    group.addTask { for batch in ordered { _ = try await writer.write(batch) } }
                }
                try await group.waitForAll()
            }
        }
        for table in Archive.tables { #expect(together[table] == whole[table], "\(table)") }
    }

    @Test func sessionsOfEitherSideOfAMonthsEndLieInTheirOwnPartitions() async throws {
        try await Archive.with { archive in
            try await archive.pool.query("SELECT parley.ensure_partitions('2026-10-01', '2026-11-30')")
            _ = try await BatchWriter(archive.pool).write(try conversations())
            #expect(try await archive.count("turns_2026_10") == 30)
            #expect(try await archive.count("turns_2026_11") == 30)
            // One day's calls in October end in November and stay where they were opened.
            let crossing: Int = try await archive.pool.query(
                "SELECT count(*) AS count FROM parley.turns_2026_10 WHERE at >= '2026-11-01'")[0].decode("count")
            #expect(crossing > 0)
        }
    }

    @Test func garbageGoesAsideAndHoldsNothingUp() async throws {
        try await Archive.with { archive in
            let entries = try conversations()
            let garbage = ArchiveEntry(
                stream: "parley:{0}:archive", id: "9-9",
                fields: ["event": .bytes([255, 0, 1]), "session": .bytes(Array("x\0y".utf8))])
            let writer = BatchWriter(archive.pool)
            let outcome = try await writer.write(entries + [garbage])
            #expect(outcome.stored == entries.count)
            #expect(outcome.deadLetters == 1)
            _ = try await writer.write([garbage])
            let rows = try await archive.pool.query("SELECT entry, reason, payload FROM parley.dead_letters")
            #expect(rows.count == 1)
            #expect(try rows[0].decode("entry") == "parley:{0}:archive/9-9")
            #expect(try rows[0].decode("payload") == [255, 0, 1] as [UInt8])
        }
    }

    @Test func anEventTheDatabaseRefusesIsFoundAndPutAside() async throws {
        try await Archive.with { archive in
            let conversations = try Conversations(sessions: 2, turns: 1)
            var events = conversations.events
            // No integer column holds this turn's number.
            let session = events[0].session
            events.append(
                (
                    session, "acme",
                    .with {
                        $0.fence = 9_000_000_000_000
                        $0.sequence = 999
                        $0.userTurn = .with { $0.turn = .max }
                    }
                ))
            let entries = try events.enumerated().map { index, item in
                ArchiveEntry(
                    stream: "s", id: "1-\(index)",
                    fields: Dictionary(
                        uniqueKeysWithValues: try Conversations.fields(item.session, item.tenant, item.event).map {
                            ($0, RESPValue.bytes($1))
                        }))
            }
            let outcome = try await BatchWriter(archive.pool).write(entries)
            #expect(outcome.stored == entries.count - 1)
            #expect(outcome.deadLetters == 1)
            let reason: String = try await archive.pool.query("SELECT reason FROM parley.dead_letters")[0].decode(
                "reason")
            #expect(reason.contains("out of range"))
        }
    }

    @Test func anUnmigratedDatabaseIsAnErrorAndNotADeadLetter() async throws {
        try await TestPostgres.withDatabase { configuration in
            let pool = PostgresPool(configuration, logger: TestPostgres.quiet)
            defer { pool.close() }
            let entries = try conversations()
            let error = await #expect(throws: PostgresError.self) { try await BatchWriter(pool).write(entries) }
            #expect(error?.sqlState == .undefinedTable)
        }
    }

    @Test func analystsSeeTheConversations() async throws {
        try await Archive.with { archive in
            _ = try await BatchWriter(archive.pool).write(try conversations())
            try await archive.pool.query(
                "INSERT INTO parley.prices (provider, unit, price) VALUES ('openai/gpt-4o-mini', 'million_input_tokens', 0.15)"
            )
            let lead = try await archive.pool.query("SELECT name, company, qualified FROM analytics.leads LIMIT 1")[0]
            #expect(lead.texts == ["value 5", "value 1", "t"])
            let funnel = try await archive.pool.query(
                "SELECT sum(started)::text, sum(spoke)::text, sum(qualified)::text FROM analytics.funnel")
            #expect(funnel[0].texts == ["6", "6", "6"])
            let latency = try await archive.pool.query(
                "SELECT sum(samples)::text, max(p95_ms)::text FROM analytics.latency_percentiles WHERE part = 'first_frame'"
            )
            #expect(latency[0].texts == ["30", "450"])
            let cost = try await archive.pool.query("SELECT DISTINCT round(cost, 6)::text FROM analytics.cost_per_call")
            #expect(cost.map(\.texts) == [["0.000750"]])
            let transcript = try await archive.pool.query(
                "SELECT role FROM analytics.transcripts WHERE session = (SELECT min(session) FROM parley.turns) ORDER BY position"
            )
            #expect(
                try transcript.map { try $0.decode("role", as: String.self) }
                    == Array(repeating: ["user", "agent"], count: 5).flatMap(\.self))
        }
    }
}
