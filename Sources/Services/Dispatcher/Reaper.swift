import Foundation
package import Logging
package import Resilience
import ServiceLifecycle
package import SessionLog
import SwiftProtobuf
package import Telemetry

/// Closes sessions that nobody owns and nobody will come back to, with a reason.
///
/// It writes like any owner: it claims a session by compare-and-set on the fence it saw, folds the log, and appends its end under the new
/// fence. So any number of reapers run at once, and a session that a worker takes over at the same moment is left alone: of two claimants one
/// wins. A reaper that dies between its claim and the close leaves an orphan for the next one.
package struct Reaper: Service, CustomStringConvertible {
    package struct Settings: Sendable {
        /// Between two looks, give or take a quarter.
        package var interval: Duration = .seconds(5)
        /// How long callers who lost their connection are waited for.
        package var reconnectWindow: Duration = .seconds(30)
        /// What a takeover may need beyond that.
        package var margin: Duration = .seconds(5)
        /// Sessions closed in one round; the others wait for the next.
        package var closesPerRound = 200
        /// Sessions worked on at once.
        package var parallel = 8

        package init() {}
    }

    /// What became of an orphan.
    enum Outcome: Sendable, Equatable {
        case closed(reason: String)
        /// Its caller is connected somewhere: those dispatchers have it moved.
        case attached
        /// Its log holds events that this build cannot fold.
        case newer
        /// Somebody else claimed or closed it.
        case taken
        /// The store did not answer, or had lost the end of the log. The next round finds it again.
        case failed
    }

    /// Orphans asked for; a few of them are others' business, see `Outcome`.
    private static let orphanLimit = 1000

    private let store: StoreClient
    private let settings: Settings
    private let isAttached: @Sendable (_ session: String, _ tenant: String) async throws -> Bool
    private let abandoned: @Sendable (_ opened: Opened) -> Void
    private let clock: any MonotonicClock
    private let metrics: ReaperMetrics
    private let logger: Logger
    /// Who it is as an owner.
    let worker = "\(ReaperPlan.workerPrefix)\(UInt64.random(in: .min ... .max))"

    /// - Parameters:
    ///   - isAttached: whether the session's caller is connected to any dispatcher; when it throws, nobody knows, and the session is left alone
    ///   - abandoned: told what a session was opened with whose end nobody but the reaper has written
    package init(
        store: StoreClient, settings: Settings = Settings(),
        isAttached: @escaping @Sendable (_ session: String, _ tenant: String) async throws -> Bool,
        abandoned: @escaping @Sendable (_ opened: Opened) -> Void = { _ in },
        clock: any MonotonicClock = ContinuousClock(), metrics: MetricsRegistry, logger: Logger
    ) {
        self.store = store
        self.settings = settings
        self.isAttached = isAttached
        self.abandoned = abandoned
        self.clock = clock
        self.metrics = ReaperMetrics(metrics)
        self.logger = logger
    }

    package var description: String { "reaper" }

    /// Works until the service is asked to end, or cancelled.
    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // Dispatchers that started together look at different moments.
                try? await clock.sleep(for: settings.interval * Double.random(in: 0.75...1.25))
                if !Task.isCancelled { await round() }
            }
        }
    }

    /// One look at the orphans; what became of those that were worked on.
    @discardableResult
    func round() async -> [Outcome] {
        let found: StoreOrphansReply
        do {
            found = try await store.orphans(
                limit: Self.orphanLimit, minimumAge: settings.reconnectWindow + settings.margin)
        } catch {
            metrics.rounds(.failed)
            logger.debug("orphans cannot be asked for", metadata: ["error": "\(error)"])
            return []
        }
        metrics.orphans.set(found.sessions.count)
        // Leases have run out because Redis was away, not because owners are gone.
        guard found.settled else {
            metrics.rounds(.unsettled)
            return []
        }
        metrics.rounds(.done)
        return await reap(found.sessions)
    }

    /// In random order: several reapers at once then begin with different ones, and those that are left alone are in nobody's way.
    private func reap(_ orphans: [StoreHeader]) async -> [Outcome] {
        let orphans = Array(orphans.shuffled().prefix(settings.closesPerRound))
        let count = max(1, min(settings.parallel, orphans.count))
        return await withTaskGroup(of: [Outcome].self) { group in
            for lane in 0..<count {
                group.addTask {
                    var outcomes: [Outcome] = []
                    for index in stride(from: lane, to: orphans.count, by: count) where !Task.isCancelled {
                        outcomes.append(await reap(orphans[index]))
                    }
                    return outcomes
                }
            }
            return await group.reduce(into: []) { $0 += $1 }
        }
    }

    private func reap(_ orphan: StoreHeader) async -> Outcome {
        let outcome: Outcome
        do {
            outcome = try await close(orphan)
        } catch {
            outcome = Self.outcome(error)
            if outcome == .failed {
                logger.info(
                    "an orphaned session cannot be closed yet",
                    metadata: ["session": "\(orphan.session)", "error": "\(error)"])
            }
        }
        metrics.count(outcome)
        return outcome
    }

    private static func outcome(_ error: any Error) -> Outcome {
        switch (error as? SessionLogError)?.code {
        case .claimLost, .notFound: .taken
        case .newerEvents: .newer
        default: .failed
        }
    }

    private func close(_ orphan: StoreHeader) async throws -> Outcome {
        guard orphan.maxEventVersion <= Event.currentVersion else { return .newer }
        if try await isAttached(orphan.session, orphan.tenant) { return .attached }
        let claim = try await claim(orphan)
        let state = SessionState(claim.events.compactMap { try? Event(stored: $0) })
        let plan = ReaperPlan(state, lastOwner: orphan.owner)
        let events = plan.events(
            fence: claim.fence, firstSequence: max(1, claim.header.nextSequence), worker: worker,
            previousFence: orphan.fence,
            wallClock: Int64(Date().timeIntervalSince1970 * 1000))
        let reply = try await store.close(
            .with {
                $0.tenant = orphan.tenant
                $0.session = orphan.session
                $0.fence = claim.fence
                $0.firstSequence = events.first?.sequence ?? 1
                $0.events = try events.map { try $0.stored() }
            })
        switch reply.outcome {
        case .stored: break
        case .fenced, .gone: return .taken
        case .behind, .unavailable, .refused, .UNRECOGNIZED: return .failed
        }
        logger.notice(
            "closed a session that nobody owned",
            metadata: [
                "session": "\(orphan.session)", "tenant": "\(orphan.tenant)", "reason": "\(plan.closing.reason)",
                "owner": "\(orphan.owner)",
            ])
        if !state.isClosed, let opened = state.opened { abandoned(opened) }
        return .closed(reason: plan.closing.reason)
    }

    private func claim(_ orphan: StoreHeader) async throws -> StoreClaimReply {
        try await store.claim(
            .with {
                $0.tenant = orphan.tenant
                $0.session = orphan.session
                $0.worker = worker
                $0.seenFence = orphan.fence
                $0.highestFence = orphan.fence
                $0.reason = "reaper"
                $0.readerVersion = Event.currentVersion
            })
    }
}

/// What a reaper counts.
private struct ReaperMetrics: Sendable {
    enum Round: String, CaseIterable { case done, unsettled, failed }

    let orphans: Gauge
    private let rounds: [Round: Counter]
    private let closed: [String: Counter]
    private let left: [String: Counter]

    init(_ registry: MetricsRegistry) {
        orphans = registry.gauge(
            "parley_reaper_orphans",
            help: "Open sessions that have had no owner for longer than the reconnect window, at the last look.")
        rounds = Dictionary(
            uniqueKeysWithValues: Round.allCases.map { round in
                (
                    round,
                    registry.counter(
                        "parley_reaper_rounds_total",
                        help: "Looks at the orphans; unsettled: nothing was done because Redis had been away.",
                        labels: ["outcome": round.rawValue])
                )
            })
        closed = Self.counters(ReaperPlan.Reason.allCases.map(\.rawValue) + ["other"]) { reason in
            registry.counter(
                "parley_reaper_closed_total", help: "Sessions closed because nobody owned them.",
                labels: ["reason": reason])
        }
        left = Self.counters(["attached", "newer", "taken", "failed"]) { why in
            registry.counter(
                "parley_reaper_left_total",
                help:
                    "Orphans left alone: their caller is connected, newer events, taken by somebody else, or the store did not answer.",
                labels: ["because": why])
        }
    }

    func rounds(_ round: Round) { rounds[round]?.increment() }

    func count(_ outcome: Reaper.Outcome) {
        switch outcome {
        case .closed(let reason): (closed[reason] ?? closed["other"])?.increment()
        case .attached: left["attached"]?.increment()
        case .newer: left["newer"]?.increment()
        case .taken: left["taken"]?.increment()
        case .failed: left["failed"]?.increment()
        }
    }

    private static func counters(_ names: [String], _ make: (String) -> Counter) -> [String: Counter] {
        Dictionary(uniqueKeysWithValues: names.map { ($0, make($0)) })
    }
}
