import Resilience
import Testing

@Suite struct DeadlineTests {
    private let clock = ManualClock()

    @Test func aResultInTimeIsReturned() async throws {
        let value = try await withDeadline("sum", within: .seconds(1), clock: clock) { 1 + 1 }
        #expect(value == 2)
        #expect(clock.sleepers == 0)
    }

    @Test func whatTakesTooLongIsCancelledAndNamed() async throws {
        let error = await #expect(throws: ResilienceError.self) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [clock] in
                    try await withDeadline("claim of the session", within: .seconds(2), clock: clock) {
                        try await clock.sleep(for: .seconds(100))
                    }
                }
                try await clock.waitForSleepers(2)
                clock.advance(by: .seconds(2))
                try await group.next()
            }
        }
        #expect(error?.code == .deadlineExceeded)
        #expect(error?.subject == "claim of the session")
        #expect(error?.description == "claim of the session: not done within 2.0 seconds")
        #expect(clock.sleepers == 0)
    }

    @Test func theOperationsOwnErrorIsThrown() async {
        struct Broken: Error {}
        await #expect(throws: Broken.self) {
            try await withDeadline("x", within: .seconds(1), clock: clock) { throw Broken() }
        }
    }

    @Test func cancellationFromOutsideIsNotADeadline() async throws {
        await #expect(throws: CancellationError.self) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { [clock] in
                    try await withDeadline("x", within: .seconds(1), clock: clock) {
                        try await clock.sleep(for: .seconds(100))
                    }
                }
                try await clock.waitForSleepers(2)
                group.cancelAll()
                try await group.next()
            }
        }
    }

    @Test func aDeadlineCountsDownAndNeverBelowZero() {
        let deadline = Deadline.after(.seconds(3), "call", clock: clock)
        clock.advance(by: .seconds(1))
        #expect(deadline.remaining == .seconds(2))
        #expect(deadline.atMost(.seconds(1), "part").remaining == .seconds(1))
        #expect(deadline.atMost(.seconds(5), "part").subject == "call")
        #expect(!deadline.hasPassed)
        clock.advance(by: .seconds(9))
        #expect(deadline.remaining == .zero)
        #expect(deadline.hasPassed)
    }
}
