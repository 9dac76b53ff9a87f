package import Resilience
import Synchronization

/// Whether a process is alive and whether it is ready for work.
///
/// Alive is what its watchdogs say: something that must happen all the time has happened lately. A process that is not alive should be
/// killed. Ready is what its checks say and that it is not shutting down: a process that is not ready should get no work.
package final class Health: Sendable {
    /// The answer of a readiness check.
    package enum Readiness: Sendable, Equatable {
        case ready
        /// Why not, for an operator.
        case notReady(String)
    }

    /// What is wrong, by the name of the check or watchdog; empty when nothing is.
    package typealias Faults = [String: String]

    private struct State {
        var checks: [String: @Sendable () async throws -> Readiness] = [:]
        var watchdogs: [String: Watchdog] = [:]
        var shutdownReason: String?
    }

    /// The time one readiness check may take.
    package static let checkLimit = Duration.seconds(2)

    private let clock: any MonotonicClock
    private let state = Mutex(State())

    package init(clock: any MonotonicClock = ContinuousClock()) {
        self.clock = clock
    }

    /// Adds a check that is asked whenever somebody wants to know; a later one of the same name replaces it.
    ///
    /// It must answer to cancellation; one that takes longer than `checkLimit` or throws counts as not ready.
    package func addReadinessCheck(_ name: String, _ check: @escaping @Sendable () async throws -> Readiness) {
        state.withLock { $0.checks[name] = check }
    }

    /// Adds something that must tick at least every `limit`; if it does not, the process counts as dead.
    package func addWatchdog(_ name: String, limit: Duration = .seconds(5)) -> Watchdog {
        let watchdog = Watchdog(limit: limit, clock: clock)
        state.withLock { $0.watchdogs[name] = watchdog }
        return watchdog
    }

    /// From now on the process is not ready, for this reason.
    package func beginShutdown(_ reason: String) {
        state.withLock { $0.shutdownReason = $0.shutdownReason ?? reason }
    }

    /// The watchdogs that have not ticked in time.
    package func livenessFaults() -> Faults {
        state.withLock { $0.watchdogs }.compactMapValues(\.fault)
    }

    /// The checks that do not say ready. Asks all of them at the same time.
    package func readinessFaults() async -> Faults {
        let (checks, shutdownReason) = state.withLock { ($0.checks, $0.shutdownReason) }
        return await withTaskGroup(of: (String, String?).self) { group in
            for (name, check) in checks {
                group.addTask { [clock] in (name, await Self.fault(name, check, clock)) }
            }
            var faults: Faults = [:]
            if let shutdownReason { faults["shutdown"] = shutdownReason }
            for await (name, fault) in group { faults[name] = fault }
            return faults
        }
    }

    private static func fault(
        _ name: String, _ check: @escaping @Sendable () async throws -> Readiness, _ clock: any MonotonicClock
    ) async -> String? {
        do {
            switch try await withDeadline("readiness check \(name)", within: checkLimit, clock: clock, operation: check)
            {
            case .ready: return nil
            case .notReady(let reason): return reason
            }
        } catch {
            return "\(error)"
        }
    }
}
