/// How often and when a failed operation is tried again.
package struct RetryPolicy: Sendable {
    /// What to do about an error.
    package enum Verdict: Sendable, Equatable {
        /// Trying again cannot help, or is not allowed.
        case giveUp
        /// Try again after the policy's own delay.
        case retry
        /// Try again, but not before this long from now, as the other side asked.
        case retryAfter(Duration)
    }

    /// Attempts in all, the first included.
    package var maximumAttempts: Int
    /// The delays between attempts.
    package var backoff: Backoff

    package init(maximumAttempts: Int = 3, backoff: Backoff = Backoff()) {
        self.maximumAttempts = max(1, maximumAttempts)
        self.backoff = backoff
    }

    /// One attempt and no more.
    package static var never: RetryPolicy { RetryPolicy(maximumAttempts: 1) }

    /// Runs `operation` until it succeeds, an error is final, attempts or budget are used up, or the next attempt would start after
    /// the deadline; then throws the last error as it is.
    ///
    /// - Parameters:
    ///   - deadline: bounds the waiting between attempts. It does not end an attempt: use `withDeadline` inside or around.
    ///   - budget: shared with all other callers of the same service.
    ///   - random: spreads the delays.
    ///   - judge: says which errors may be retried. Cancellation never is.
    ///   - operation: gets the number of the attempt, from 0.
    package func run<Result>(
        before deadline: Deadline, budget: RetryBudget,
        random: any RandomNumberGenerator = SystemRandomNumberGenerator(),
        judge: (any Error) -> Verdict, operation: (_ attempt: Int) async throws -> Result
    ) async throws -> Result {
        var random = random
        budget.earn()
        var attempt = 0
        while true {
            do {
                return try await operation(attempt)
            } catch {
                let delay = delay(after: attempt, judge(error), using: &random)
                guard let delay, !(error is CancellationError), delay < deadline.remaining, budget.spend() else {
                    throw error
                }
                try await deadline.clock.sleep(for: delay)
                attempt += 1
            }
        }
    }

    private func delay(
        after attempt: Int, _ verdict: Verdict, using random: inout any RandomNumberGenerator
    ) -> Duration? {
        guard attempt + 1 < maximumAttempts else { return nil }
        switch verdict {
        case .giveUp: return nil
        case .retry: return backoff.delay(retry: attempt, using: &random)
        case .retryAfter(let least): return max(least, backoff.delay(retry: attempt, using: &random))
        }
    }
}
