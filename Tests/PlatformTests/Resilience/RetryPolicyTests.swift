import Resilience
import Testing

@Suite struct RetryPolicyTests {
    private struct Failed: Error, Equatable {
        var attempt: Int
    }

    private let clock = ManualClock()
    private let policy = RetryPolicy(
        maximumAttempts: 3, backoff: Backoff(initial: .seconds(1), multiplier: 2, maximum: .seconds(10), jitter: 0))

    /// Runs `operation` under the policy while advancing the clock; returns the outcome and the time it took.
    private func run(
        deadline: Duration = .seconds(60), budget: RetryBudget = RetryBudget(), sleeps: Int,
        judge: @escaping @Sendable (any Error) -> RetryPolicy.Verdict = { _ in .retry },
        operation: @escaping @Sendable (Int) throws -> String
    ) async throws -> Result<String, any Error> {
        try await withThrowingTaskGroup(of: Result<String, any Error>.self) { group in
            group.addTask { [clock, policy] in
                do {
                    return .success(
                        try await policy.run(
                            before: .after(deadline, "test", clock: clock), budget: budget,
                            random: SeededRandom(seed: 1),
                            judge: judge
                        ) { try operation($0) })
                } catch {
                    return .failure(error)
                }
            }
            for _ in 0..<sleeps {
                try await clock.waitForSleepers()
                clock.advanceToNextSleeper()
            }
            return try #require(try await group.next())
        }
    }

    @Test func successAfterRetriesWaitsTheBackoff() async throws {
        let outcome = try await run(sleeps: 2) { attempt in
            guard attempt == 2 else { throw Failed(attempt: attempt) }
            return "done"
        }
        #expect(try outcome.get() == "done")
        #expect(clock.elapsed == .seconds(3))
    }

    @Test func theLastErrorIsThrownAsItIs() async throws {
        let outcome = try await run(sleeps: 2) { throw Failed(attempt: $0) }
        #expect(throws: Failed(attempt: 2)) { try outcome.get() }
    }

    @Test func finalErrorsAreNotRetried() async throws {
        let outcome = try await run(sleeps: 0, judge: { _ in .giveUp }) { throw Failed(attempt: $0) }
        #expect(throws: Failed(attempt: 0)) { try outcome.get() }
    }

    @Test func theOtherSidesWishForPatienceIsHonoured() async throws {
        let outcome = try await run(sleeps: 1, judge: { _ in .retryAfter(.seconds(7)) }) { attempt in
            guard attempt == 1 else { throw Failed(attempt: attempt) }
            return "done"
        }
        #expect(try outcome.get() == "done")
        #expect(clock.elapsed == .seconds(7))
    }

    @Test func noAttemptStartsAfterTheDeadline() async throws {
        let outcome = try await run(deadline: .seconds(2), sleeps: 1) { throw Failed(attempt: $0) }
        #expect(throws: Failed(attempt: 1)) { try outcome.get() }
        #expect(clock.elapsed == .seconds(1))
    }

    @Test func anEmptyBudgetStopsRetries() async throws {
        let budget = RetryBudget(retriesPerCall: 0, reserve: 1)
        let outcome = try await run(budget: budget, sleeps: 1) { throw Failed(attempt: $0) }
        #expect(throws: Failed(attempt: 1)) { try outcome.get() }
    }

    @Test func cancellationIsNeverRetried() async throws {
        let outcome = try await run(sleeps: 0) { _ in throw CancellationError() }
        #expect(throws: CancellationError.self) { try outcome.get() }
    }

    @Test func aBudgetEarnsAShareOfTheCallsUpToItsReserve() {
        let budget = RetryBudget(retriesPerCall: 0.5, reserve: 2)
        #expect(budget.spend() && budget.spend() && !budget.spend())
        budget.earn()
        #expect(!budget.spend())
        budget.earn()
        #expect(budget.spend() && !budget.spend())
        for _ in 0..<100 { budget.earn() }
        #expect(budget.spend() && budget.spend() && !budget.spend())
    }
}
