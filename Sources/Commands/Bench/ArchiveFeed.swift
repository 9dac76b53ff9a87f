import Foundation
import Logging
import NIOPosix
import RedisClient
import SessionLog
import SwiftProtobuf
import Synchronization

/// Writes what conversations log into the archive streams, as the session store's scripts do.
final class ArchiveFeed: Sendable {
    private static let tenant = "bench"
    /// Entries in one pipeline.
    private static let pipeline = 256

    private let redis: RedisClient
    private let sessions: [SessionID]
    private let failures = Mutex(0)
    /// Conversations are far enough apart that a fence of one is as good as another's.
    private let fence: UInt64

    init(redisURL: String, conversations: Int) throws {
        var configuration = try RedisConfiguration(url: redisURL, name: "bench")
        configuration.commandTimeout = .seconds(60)
        configuration.maximumInFlight = 1_000_000
        redis = RedisClient(
            configuration, on: MultiThreadedEventLoopGroup(numberOfThreads: 1).next(), logger: BenchDatabase.quiet)
        let now = Int64(Date().timeIntervalSince1970)
        fence = UInt64(now) * 1_000
        sessions = try (0..<conversations).map { try SessionID(region: "bench", partition: $0 % 16, openedAt: now) }
    }

    /// Entries that Redis did not take.
    var failed: Int { failures.withLock { $0 } }

    func close() async { await redis.close() }

    /// Writes at the rate of conversations until so many seconds have passed. Returns the number of entries.
    func converse(seconds: Int) async throws -> Int {
        var schedule = BenchSchedule(conversations: sessions.count)
        var sequences = Array(repeating: UInt64(0), count: sessions.count)
        var batch: [RedisCommand] = []
        var count = 0
        let start = ContinuousClock.now
        var elapsed = 0
        while elapsed < seconds * 1_000 {
            schedule.take(until: elapsed) { conversation, step, turn in
                if sequences[conversation] == 0 {
                    for body in BenchConversation.beginning(sessions[conversation].description, tenant: Self.tenant) {
                        sequences[conversation] += 1
                        batch.append(entry(sessions[conversation], sequences[conversation], body))
                    }
                }
                sequences[conversation] += 1
                batch.append(
                    entry(sessions[conversation], sequences[conversation], BenchConversation.body(step, turn: turn)))
            }
            if !batch.isEmpty {
                count += batch.count
                send(batch)
                batch = []
            }
            try await Task.sleep(for: .milliseconds(2))
            elapsed = Int(start.duration(to: .now) / .milliseconds(1))
        }
        return count
    }

    /// Writes so many entries of new conversations as quickly as Redis takes them.
    func fill(_ count: Int) async throws {
        let steps = BenchConversation.offsets.count
        var written = 0
        while written < count {
            var batch: [RedisCommand] = []
            while batch.count < Self.pipeline, written < count {
                // Turn by turn through all conversations, each step for a few of them, as if they talked at the same time.
                let (round, place) = written.quotientAndRemainder(dividingBy: steps * sessions.count)
                let (step, conversation) = place.quotientAndRemainder(dividingBy: sessions.count)
                let sequence = UInt64(1_000_000 + round * steps + step)
                batch.append(
                    entry(sessions[conversation], sequence, BenchConversation.body(step, turn: UInt32(100_000 + round)))
                )
                written += 1
            }
            for reply in try await redis.pipeline(batch) { _ = try reply.value() }
        }
    }

    /// One more entry of a conversation of its own; `number` is its sequence.
    func probe(_ session: SessionID, _ number: UInt64) {
        send([entry(session, number, .dtmf(.with { $0.digits = "1" }))])
    }

    private func send(_ batch: [RedisCommand]) {
        let size = batch.count
        redis.submit(batch) { (result: Result<[RESPValue], RedisError>) in
            let failed =
                switch result {
                case .success(let replies): replies.count { (try? $0.value()) == nil }
                case .failure: size
                }
            if failed > 0 { self.failures.withLock { $0 += failed } }
        }
    }

    private func entry(_ session: SessionID, _ sequence: UInt64, _ body: Event.OneOf_Body) -> RedisCommand {
        let event = Event.with {
            $0.fence = fence
            $0.sequence = sequence
            $0.version = Event.currentVersion
            $0.wallClockMs = Int64(fence) + Int64(sequence) * 600
            $0.position = Int64(sequence) * 9_600
            $0.leg = 1
            $0.body = body
        }
        return RedisCommand(
            "XADD", .string(RedisKeys.archive(partition: session.partition)), "*", "session",
            .string(session.description), "fence",
            .integer(fence), "sequence", .integer(sequence), "tenant", .string(Self.tenant), "event",
            .data((try? event.stored()) ?? Data()))
    }
}
