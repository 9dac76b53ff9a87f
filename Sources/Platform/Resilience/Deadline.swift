/// The instant by which an operation must be done, and what the operation is called when it is not.
package struct Deadline: Sendable {
    /// The operation, for the error.
    package let subject: String
    /// When time is up.
    package let instant: ContinuousClock.Instant
    /// The time the operation was given at the start, for the error.
    package let limit: Duration
    /// The clock that `instant` belongs to.
    package let clock: any MonotonicClock

    /// `limit` from now on `clock`.
    package static func after(
        _ limit: Duration, _ subject: String, clock: any MonotonicClock = ContinuousClock()
    ) -> Deadline {
        Deadline(subject: subject, instant: clock.now + limit, limit: limit, clock: clock)
    }

    /// The time left, never negative.
    package var remaining: Duration { max(.zero, instant - clock.now) }

    /// Whether time is up.
    package var hasPassed: Bool { clock.now >= instant }

    /// The error to throw when time is up.
    package var exceeded: ResilienceError {
        ResilienceError(.deadlineExceeded, subject: subject, message: "not done within \(limit)")
    }

    /// The same instant for a part of the operation, which the error then names.
    package func naming(_ subject: String) -> Deadline {
        Deadline(subject: subject, instant: instant, limit: limit, clock: clock)
    }

    /// The earlier of this deadline and `limit` from now.
    package func atMost(_ limit: Duration, _ subject: String) -> Deadline {
        let other = Deadline.after(limit, subject, clock: clock)
        return other.instant < instant ? other : self
    }
}

/// Runs `operation`, cancels it when the deadline passes and then throws `ResilienceError` with code `deadlineExceeded`.
///
/// The operation runs as a child task and is always waited for: it must answer to cancellation. What it throws or returns
/// after the deadline is discarded, so it must not hand out anything that has to be given back.
package func withDeadline<Result: Sendable>(
    _ deadline: Deadline, operation: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask { try await operation() }
        group.addTask {
            try await deadline.clock.sleep(until: deadline.instant, tolerance: nil)
            return nil
        }
        defer { group.cancelAll() }
        guard let first = try await group.next(), let result = first else { throw deadline.exceeded }
        return result
    }
}

/// Runs `operation` with a deadline of `limit` from now; `subject` names it in the error. See `withDeadline(_:operation:)`.
package func withDeadline<Result: Sendable>(
    _ subject: String, within limit: Duration, clock: any MonotonicClock = ContinuousClock(),
    operation: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withDeadline(.after(limit, subject, clock: clock), operation: operation)
}
