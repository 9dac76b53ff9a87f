import Foundation
import PostgresClient
import RedisClient
import SessionLog
import TestDatabases
import Testing

@testable import ArchiverService

@Suite(.enabled(if: TestStreams.isAvailable, "set PARLEY_TEST_REDIS_URL and PARLEY_TEST_POSTGRES_URL"))
struct ArchiverTests {
    /// What the tables hold when everything arrives once, in order.
    private func expected(_ conversations: Conversations) async throws -> [String: [String]] {
        var contents: [String: [String]] = [:]
        try await Archive.with { archive in
            _ = try await BatchWriter(archive.pool).write(try conversations.entries())
            contents = try await archive.contents()
        }
        return contents
    }

    private func steps(_ archiver: Archiver, _ streams: TestStreams) async throws {
        // What another archiver has read is waited for.
        let end = ContinuousClock.now + .seconds(60)
        while ContinuousClock.now < end {
            try await archiver.step()
            if try await streams.remaining().pending == 0, try await archiver.waiting() == 0 { return }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("the streams never became empty")
    }

    @Test func entriesAreStoredAcknowledgedAndTrimmed() async throws {
        let conversations = try Conversations(sessions: 4, turns: 3, partitions: 2)
        let expected = try await expected(conversations)
        try await Archive.with { archive in
            try await TestStreams.with { streams in
                try await streams.add(conversations.events)
                let archiver = streams.archiver(archive, "a")
                try await steps(archiver, streams)
                let contents = try await archive.contents()
                for table in Archive.tables { #expect(contents[table] == expected[table], "\(table)") }
                try await archiver.trimOnce()
                // The last entry delivered stays in each stream.
                #expect(try await streams.remaining() == (2, 0))
            }
        }
    }

    @Test func nothingUnstoredIsTrimmed() async throws {
        let conversations = try Conversations(sessions: 2, turns: 2, partitions: 2)
        try await Archive.with { archive in
            try await TestStreams.with { streams in
                try await streams.add(conversations.events)
                let archiver = streams.archiver(archive, "a") { $0.batchEntries = 10 }
                try await archiver.step()
                // Delivered to somebody who does not acknowledge.
                _ = try await streams.redis.send(
                    RedisCommand(
                        ["XREADGROUP", "GROUP", "archivers", "dead", "COUNT", "5", "STREAMS"]
                            + streams.partitions.map { .string(RedisKeys.archive(partition: $0)) } + [">", ">"]))
                try await archiver.step()
                try await archiver.trimOnce()
                let stored = try await archive.count("events")
                #expect(stored == 40)
                // What the dead one holds and everything after it is still there.
                #expect(try await streams.remaining() == (Int64(conversations.events.count - 20), 10))
            }
        }
    }

    @Test func anArchiverThatDiesBetweenCommitAndAcknowledgementDoublesNothing() async throws {
        let conversations = try Conversations(sessions: 4, turns: 3, partitions: 2)
        let expected = try await expected(conversations)
        try await Archive.with { archive in
            try await TestStreams.with { streams in
                try await streams.add(conversations.events)
                let dying = ArchiveStreams(streams.redis, partitions: streams.partitions, consumer: "dying")
                try await dying.createGroups()
                let batch = try await dying.read(count: 40, wait: .milliseconds(1))
                #expect(batch.count == 80)
                _ = try await BatchWriter(archive.pool).write(batch)
                await dying.close()

                let survivor = streams.archiver(archive, "survivor") { $0.claimAfter = .zero }
                try await steps(survivor, streams)
                let contents = try await archive.contents()
                for table in Archive.tables { #expect(contents[table] == expected[table], "\(table)") }
            }
        }
    }

    @Test func twoArchiversShareTheWork() async throws {
        let conversations = try Conversations(sessions: 20, turns: 4, partitions: 2)
        let expected = try await expected(conversations)
        try await Archive.with(connections: 8) { archive in
            try await TestStreams.with { streams in
                try await streams.add(conversations.events)
                let archivers = ["a", "b"].map { name in streams.archiver(archive, name) { $0.batchEntries = 20 } }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for archiver in archivers { group.addTask { try await steps(archiver, streams) } }
                    try await group.waitForAll()
                }
                let contents = try await archive.contents()
                for table in Archive.tables { #expect(contents[table] == expected[table], "\(table)") }
            }
        }
    }

    @Test func aRestartOfPostgresInTheMiddleLosesNothing() async throws {
        let conversations = try Conversations(sessions: 20, turns: 4, partitions: 2)
        let expected = try await expected(conversations)
        try await Archive.with { archive in
            try await TestStreams.with { streams in
                try await streams.add(conversations.events)
                let archiver = streams.archiver(archive, "a") { $0.batchEntries = 10 }
                let name: String = try await archive.pool.query("SELECT current_database()::text AS name")[0].decode(
                    "name")
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await steps(archiver, streams) }
                    group.addTask {
                        // From another database, so that it does not end itself.
                        let outside = try await PostgresConnection.connect(
                            archive.pool.configuration.with(database: "postgres"), logger: TestPostgres.quiet)
                        defer { outside.close() }
                        for _ in 0..<20 {
                            try await outside.query(
                                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1",
                                [.text(name)])
                            try await outside.query("SELECT pg_sleep(0.02)")
                        }
                    }
                    try await group.waitForAll()
                }
                let contents = try await archive.contents()
                for table in Archive.tables { #expect(contents[table] == expected[table], "\(table)") }
            }
        }
    }

    @Test func garbageIsAcknowledgedAndPutAside() async throws {
        let conversations = try Conversations(sessions: 1, turns: 1)
        try await Archive.with { archive in
            try await TestStreams.with { streams in
                let stream = RedisArgument.string(RedisKeys.archive(partition: streams.partitions.lowerBound))
                _ = try await streams.redis.send(RedisCommand("XADD", stream, "*", "what", "is this?"))
                try await streams.add(conversations.events)
                try await steps(streams.archiver(archive, "a"), streams)
                #expect(try await archive.count("dead_letters") == 1)
                #expect(try await archive.count("events") == conversations.events.count)
                #expect(try await streams.remaining().pending == 0)
            }
        }
    }

    @Test func aClosedAndArchivedSessionsLogSoonLeavesRedis() async throws {
        let conversations = try Conversations(
            sessions: 1, turns: 1, startingAt: Int64.random(in: 1_700_000_000...1_800_000_000))
        try await Archive.with { archive in
            try await TestStreams.with { streams in
                let session = conversations.events[0].session
                let keys = [RedisKeys.log(session), RedisKeys.session(session)]
                for key in keys {
                    _ = try await streams.redis.send(RedisCommand("SET", .string(key), "x", "EX", "3600"))
                }
                try await streams.add(conversations.events.dropLast())
                let archiver = streams.archiver(archive, "a")
                try await steps(archiver, streams)
                for key in keys {
                    let life = try await streams.redis.send(RedisCommand("TTL", .string(key))).integer ?? 0
                    #expect(life > 300)
                }
                try await streams.add([conversations.events[conversations.events.count - 1]])
                try await steps(archiver, streams)
                for key in keys {
                    let life = try await streams.redis.send(RedisCommand("TTL", .string(key))).integer ?? 0
                    #expect((1...300).contains(life))
                    _ = try await streams.redis.send(RedisCommand("DEL", .string(key)))
                }
            }
        }
    }

    @Test func runEndsWhenCancelledAndBringsPartitionsAhead() async throws {
        let conversations = try Conversations(sessions: 2, turns: 2, partitions: 2)
        try await Archive.with { archive in
            try await TestStreams.with { streams in
                try await streams.add(conversations.events)
                let archiver = streams.archiver(archive, "a") { $0.monthsAhead = 5 }
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await archiver.run() }
                    let done = """
                        SELECT (SELECT count(*) FROM parley.events) = \(conversations.events.count)
                            AND to_regclass('parley.usage_' || to_char(now() + interval '5 months', 'YYYY_MM')) IS NOT NULL AS is_done
                        """
                    var isDone = false
                    for _ in 0..<2000 where !isDone {
                        isDone = try await archive.pool.query(done)[0].decode("is_done")
                        if !isDone { try await archive.pool.query("SELECT pg_sleep(0.01)") }
                    }
                    #expect(isDone)
                    group.cancelAll()
                    try await group.waitForAll()
                }
            }
        }
    }
}
