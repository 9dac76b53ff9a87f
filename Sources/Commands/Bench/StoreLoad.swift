import Audio
import Foundation
import Logging
import NIOPosix
import SessionLog
import SwiftProtobuf
import Synchronization

/// Workers as the session store sees them: each a connection with one stream, on which its sessions append and are renewed.
final class StoreLoad: Sendable {
    private struct Worker: Sendable {
        let client: StoreClient
        let stream: OwnerStream
    }

    /// What is not measured: connections warm up, and every conversation has had a turn.
    private static let warmUpMilliseconds = BenchConversation.turnMilliseconds
    private static let tenant = "bench"

    private let workers: [Worker]
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let lost = Mutex(0)

    /// - Parameter port: of the store, on the loopback interface
    init(port: Int, workers count: Int) throws {
        let logger = Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }
        workers = try (0..<count).map { number in
            let client = try StoreClient(addresses: [.init(host: "127.0.0.1", port: port)], logger: logger)
            let worker = OwnerStream.Worker(id: "bench-\(number)", address: "-", version: "bench")
            return Worker(client: client, stream: OwnerStream(client: client, worker: worker, logger: logger))
        }
    }

    /// Opens the calls, lets them talk, and measures all but the beginning.
    func run(calls: Int, seconds: Int, usage: @Sendable () -> StoreUsage) async throws -> StoreResult {
        try await withThrowingTaskGroup(of: Void.self) { group in
            defer { group.cancelAll() }
            for worker in workers {
                group.addTask { try await worker.client.run() }
                group.addTask { await worker.stream.run() }
            }
            let sessions = try await open(calls)
            return try await measure(sessions, seconds, usage)
        }
    }

    private func open(_ calls: Int) async throws -> [OwnedSession] {
        try await withThrowingTaskGroup(of: [OwnedSession].self) { group in
            for (index, worker) in workers.enumerated() {
                group.addTask {
                    var sessions: [OwnedSession] = []
                    for _ in stride(from: index, to: calls, by: self.workers.count) {
                        sessions.append(try await self.open(on: worker))
                    }
                    return sessions
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func open(on worker: Worker) async throws -> OwnedSession {
        let opened = try await worker.client.open(
            .with {
                $0.tenant = Self.tenant
                $0.region = "bench"
                $0.opened.agent = "bench"
                $0.opened.agentHash = String(repeating: "a", count: 64)
                $0.opened.backend = "pipecat"
            })
        let claim = try await worker.client.claim(
            .with {
                $0.tenant = Self.tenant
                $0.session = opened.session
                $0.worker = "bench"
                $0.seenFence = opened.fence
                $0.readerVersion = Event.currentVersion
                $0.reason = "opened"
            })
        return worker.stream.own(tenant: Self.tenant, claim: claim, eventLoop: group.next()) { [weak self] notice in
            if case .lost = notice { self?.lost.withLock { $0 += 1 } }
        }
    }

    private func measure(
        _ sessions: [OwnedSession], _ seconds: Int, _ usage: @Sendable () -> StoreUsage
    ) async throws -> StoreResult {
        let answers = Answers()
        var schedule = BenchSchedule(conversations: sessions.count)
        let clock = ContinuousClock()
        let start = clock.now
        var begin: StoreUsage?
        var elapsed = 0
        while elapsed < Self.warmUpMilliseconds + seconds * 1_000 {
            if begin == nil, elapsed >= Self.warmUpMilliseconds { begin = usage() }
            let isMeasured = begin != nil
            schedule.take(until: elapsed) { conversation, step, turn in
                let session = sessions[conversation]
                let time = clock.now
                let event = session.append(
                    BenchConversation.body(step, turn: turn), position: .milliseconds(Int64(elapsed)), leg: 1)
                guard isMeasured else { return }
                answers.appended()
                // It goes with what comes next, and nobody waits for it.
                if event.isTelemetry { return }
                answers.expect()
                session.whenSettled(event.sequence) { answers.take($0, since: time) }
            }
            try await Task.sleep(for: .milliseconds(1))
            elapsed = Int(start.duration(to: clock.now) / .milliseconds(1))
        }
        let end = usage()
        // The last answers are on their way.
        for _ in 0..<100 where answers.missing > 0 { try await Task.sleep(for: .milliseconds(20)) }
        return answers.result(calls: sessions.count, begin: begin ?? end, end: end, lostSessions: lost.withLock { $0 })
    }

    /// What became of the events.
    private final class Answers: Sendable {
        private struct State {
            var events = 0
            var expected = 0
            var milliseconds: [Double] = []
            var dropped = 0
        }

        private let state = Mutex(State())

        var missing: Int { state.withLock { $0.expected - $0.milliseconds.count - $0.dropped } }

        func appended() { state.withLock { $0.events += 1 } }

        func expect() { state.withLock { $0.expected += 1 } }

        func take(_ outcome: StorageOutcome, since time: ContinuousClock.Instant) {
            let milliseconds = time.duration(to: .now) / .milliseconds(1)
            state.withLock { state in
                if outcome == .stored { state.milliseconds.append(milliseconds) } else { state.dropped += 1 }
            }
        }

        func result(calls: Int, begin: StoreUsage, end: StoreUsage, lostSessions: Int) -> StoreResult {
            state.withLock { state in
                StoreResult(
                    calls: calls, begin: begin, end: end, latencies: BenchFigures(state.milliseconds),
                    events: state.events,
                    unanswered: state.expected - state.milliseconds.count - state.dropped, dropped: state.dropped,
                    lostSessions: lostSessions)
            }
        }
    }
}
