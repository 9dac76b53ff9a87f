package import Resilience
package import Telemetry

/// The limits that processes share, asked with little patience: whoever asks has a caller waiting, and a process can always decide alone.
package final class SharedLimits: Sendable {
    private let store: any LimitStore
    private let patience: Duration
    let clock: any MonotonicClock
    private let breaker: CircuitBreaker
    private let metrics: MetricsRegistry

    /// - Parameter patience: Redis that has not answered after this time counts as away.
    package init(
        _ store: any LimitStore, patience: Duration = .milliseconds(100), clock: any MonotonicClock = ContinuousClock(),
        metrics: MetricsRegistry
    ) {
        self.store = store
        self.patience = patience
        self.clock = clock
        self.metrics = metrics
        // While Redis is away not every caller waits for it to answer.
        breaker = CircuitBreaker("limits in Redis", clock: clock)
    }

    /// What the store says; nil when it does not answer in time. `what` names the limit in metrics.
    func ask<Answer: Sendable>(
        _ what: String, _ question: @escaping @Sendable (any LimitStore) async throws -> Answer
    ) async -> Answer? {
        let store = store
        do {
            return try await breaker.run {
                try await withDeadline("limits in Redis", within: patience, clock: clock) { try await question(store) }
            }
        } catch {
            metrics.counter(
                "parley_limit_local_total", help: "Decisions about limits made without Redis, which did not answer.",
                labels: ["limit": what]
            ).increment()
            return nil
        }
    }

    /// Whether a live process holds this lease. Throws when nobody can say.
    package func isHeld(_ lease: HeldLease) async throws -> Bool { try await store.isHeld(lease) }

    func refused(_ refusal: LimitRefusal) {
        metrics.counter(
            "parley_limit_refusals_total", help: "What a limit did not allow.",
            labels: ["limit": refusal.what, "subject": refusal.subject.kind.rawValue]
        ).increment()
    }
}
