import Synchronization

/// A circuit breaker that many callers of one service share. The rules are `CircuitBreakerMachine`'s.
package final class CircuitBreaker: Sendable {
    package typealias Phase = CircuitBreakerMachine.Phase
    package typealias Admission = CircuitBreakerMachine.Admission
    package typealias Outcome = CircuitBreakerMachine.Outcome

    /// The service, for errors.
    package let subject: String
    private let clock: any MonotonicClock
    private let onChange: @Sendable (Phase) -> Void
    private let machine: Mutex<CircuitBreakerMachine>

    /// - Parameter onChange: told every new phase, for metrics and logs; it must not call the breaker.
    package init(
        _ subject: String, configuration: CircuitBreakerMachine.Configuration = .init(),
        clock: any MonotonicClock = ContinuousClock(), onChange: @escaping @Sendable (Phase) -> Void = { _ in }
    ) {
        self.subject = subject
        self.clock = clock
        self.onChange = onChange
        machine = Mutex(CircuitBreakerMachine(configuration))
    }

    /// The phase as of the last call.
    package var phase: Phase { machine.withLock { $0.phase } }

    /// Lets a call through, or throws `ResilienceError` with code `circuitOpen`. Give the admission back with `record`.
    package func admit() throws -> Admission {
        switch change({ $0.admit(now: clock.now) }) {
        case .admitted(let admission): return admission
        case .refused(let retryAfter):
            throw ResilienceError(
                .circuitOpen, subject: subject, message: "not called, it has been failing", retryAfter: retryAfter)
        }
    }

    /// Reports how an admitted call ended.
    package func record(_ outcome: Outcome, of admission: Admission) {
        change { $0.record(outcome, of: admission, now: clock.now) }
    }

    /// Runs `operation` if the breaker lets it through and reports how it ended.
    ///
    /// - Parameter judge: what an error says about the service. By default every error is a failure but cancellation, which
    ///   says nothing.
    package func run<Result>(
        judge: (any Error) -> Outcome = { $0 is CancellationError ? .ignored : .failure },
        operation: () async throws -> Result
    ) async throws -> Result {
        let admission = try admit()
        do {
            let result = try await operation()
            record(.success, of: admission)
            return result
        } catch {
            record(judge(error), of: admission)
            throw error
        }
    }

    @discardableResult
    private func change<Result: Sendable>(_ body: (inout CircuitBreakerMachine) -> Result) -> Result {
        let (result, entered) = machine.withLock { machine -> (Result, Phase?) in
            let before = machine.phase
            let result = body(&machine)
            return (result, machine.phase == before ? nil : machine.phase)
        }
        if let entered { onChange(entered) }
        return result
    }
}
