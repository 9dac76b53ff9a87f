import Audio
import Foundation
import Logging
import NIOCore
import NIOPosix
import RedisClient
import SessionLog
import SwiftProtobuf
import Synchronization
import Testing

/// What appends and renewals cost. Prints, asserts nothing about time.
///
///     PARLEY_BENCH_CALLS=1000 PARLEY_BENCH_SECONDS=20 swift test -c release --filter StoreBenchmark
///
/// With PARLEY_BENCH_STORE=host:port it aims at a session-store that runs, and with PARLEY_BENCH_STORE_PID it prints that process's CPU.
@Suite(
    .enabled(
        if: StoreFixture.isRedisThere && ProcessInfo.processInfo.environment["PARLEY_BENCH_CALLS"] != nil,
        "PARLEY_BENCH_CALLS is not set"))
struct StoreBenchmark {
    private static let environment = ProcessInfo.processInfo.environment
    private let calls = Int(environment["PARLEY_BENCH_CALLS"] ?? "") ?? 1000
    private let seconds = Int(environment["PARLEY_BENCH_SECONDS"] ?? "") ?? 20
    private let workers = 10
    /// Events of a call per second: a turn of 8 s has about 12 of them (partial, turn, reply, 3 sentences and their audio, heard, latency, usage).
    private let eventsPerSecond = 1.5

    @Test func `appends and renewals`() async throws {
        try await StoreFixture.with { (store) async throws in
            let client = try target() ?? store.client
            try await withThrowingTaskGroup(of: Void.self) { group in
                if client !== store.client { group.addTask { try await client.run() } }
                try await run(store, client)
                if client !== store.client { client.close() }
                group.cancelAll()
            }
        }
    }

    private func target() throws -> StoreClient? {
        guard let text = Self.environment["PARLEY_BENCH_STORE"], let colon = text.lastIndex(of: ":"),
            let port = Int(text[text.index(after: colon)...])
        else { return nil }
        return try StoreClient(
            addresses: [.init(host: String(text[..<colon]), port: port)], logger: Logger(label: "bench"))
    }

    private func run(_ store: StoreFixture, _ client: StoreClient) async throws {
        let latencies = Mutex<[Double]>([])
        let loops = MultiThreadedEventLoopGroup.singleton
        let streams = (0..<workers).map { index in
            OwnerStream(
                client: client, worker: .init(id: "bench-\(index)", address: "-", version: "bench"),
                logger: Logger(label: "bench"))
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for stream in streams { group.addTask { await stream.run() } }
            var sessions: [OwnedSession] = []
            for index in 0..<calls {
                let claim = try await claim(store, client)
                sessions.append(
                    streams[index % workers].own(tenant: store.tenant, claim: claim, eventLoop: loops.next()) { _ in })
            }
            let before = try await Usage(store)
            try await speak(sessions, latencies)
            let after = try await Usage(store)
            report(before, after, latencies.withLock { $0 }.sorted())
            group.cancelAll()
        }
    }

    private func claim(_ store: StoreFixture, _ client: StoreClient) async throws -> StoreClaimReply {
        let opened = try await client.open(
            .with {
                $0.tenant = store.tenant
                $0.region = "eu1"
                $0.opened.agentHash = "abc"
            })
        return try await client.claim(
            .with {
                $0.tenant = store.tenant
                $0.session = opened.session
                $0.worker = "bench"
                $0.seenFence = opened.fence
                $0.readerVersion = Event.currentVersion
            })
    }

    /// Every call says something at a random moment of each interval, in steps of 5 ms.
    private func speak(_ sessions: [OwnedSession], _ latencies: borrowing Mutex<[Double]>) async throws {
        let end = NIODeadline.now() + .seconds(Int64(seconds))
        let box = Latencies()
        var owed = 0.0
        while NIODeadline.now() < end {
            owed += Double(sessions.count) * eventsPerSecond * 0.005
            while owed >= 1 {
                owed -= 1
                guard let session = sessions.randomElement() else { return }
                let start = NIODeadline.now()
                let sequence = session.append(
                    .sentence(
                        .with {
                            $0.reply = 1
                            $0.text = "Thank you, and which company are you calling from today?"
                        }), position: .zero, leg: 0
                ).sequence
                session.whenStored(sequence) { box.add(start) }
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        try await Task.sleep(for: .milliseconds(200))
        latencies.withLock { $0 = box.values }
    }

    private func report(_ before: Usage, _ after: Usage, _ latencies: [Double]) {
        func percentile(_ share: Double) -> String {
            guard !latencies.isEmpty else { return "-" }
            return String(format: "%.2f ms", latencies[min(latencies.count - 1, Int(Double(latencies.count) * share))])
        }
        let scale = 1000 / Double(calls) / Double(seconds) * 100
        print("calls \(calls), workers \(workers), \(seconds) s, \(latencies.count) appends stored")
        print("append to acknowledgement: p50 \(percentile(0.5)), p95 \(percentile(0.95)), p99 \(percentile(0.99))")
        print(String(format: "Redis: %.1f %% of a core per 1,000 calls", (after.redis - before.redis) * scale))
        print(String(format: "this process: %.1f %%", (after.process - before.process) * scale))
        if let one = before.store, let other = after.store {
            print(String(format: "session-store: %.1f %%", (other - one) * scale))
        }
    }

    /// CPU seconds so far.
    private struct Usage {
        let redis: Double
        let process: Double
        let store: Double?

        init(_ fixture: StoreFixture) async throws {
            let info = try await fixture.redis.send(RedisCommand("INFO", "cpu")).string ?? ""
            redis = info.split(whereSeparator: \.isNewline).reduce(0) { sum, line in
                line.hasPrefix("used_cpu_sys:") || line.hasPrefix("used_cpu_user:")
                    ? sum + (Double(line.split(separator: ":").last ?? "") ?? 0) : sum
            }
            process = Self.seconds(of: "self") ?? 0
            store = StoreBenchmark.environment["PARLEY_BENCH_STORE_PID"].flatMap { Self.seconds(of: $0) }
        }

        /// proc(5): fields 14 and 15 of stat, in hundredths of a second.
        private static func seconds(of process: String) -> Double? {
            guard let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
                let rest = stat.split(separator: ")").last?.split(separator: " "), rest.count > 12
            else { return nil }
            return ((Double(rest[11]) ?? 0) + (Double(rest[12]) ?? 0)) / 100
        }
    }

    private final class Latencies: Sendable {
        private let state = Mutex<[Double]>([])
        var values: [Double] { state.withLock { $0 } }

        func add(_ start: NIODeadline) {
            let milliseconds = Double((NIODeadline.now() - start).nanoseconds) / 1e6
            state.withLock { $0.append(milliseconds) }
        }
    }
}
