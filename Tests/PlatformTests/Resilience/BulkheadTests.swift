import Resilience
import Testing

@Suite struct BulkheadTests {
    private let clock = ManualClock()

    private func bulkhead(limit: Int, waiting: Int) -> Bulkhead {
        Bulkhead("turn verdicts", limit: limit, maximumWaiting: waiting, maximumWait: .seconds(5), clock: clock)
    }

    @Test func noMoreThanTheLimitRunAtOnceAndAllRunInTheEnd() async throws {
        let bulkhead = bulkhead(limit: 3, waiting: 100)
        let running = Shared(0)
        let highest = Shared(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    try await bulkhead.run {
                        let now = running.withLock { running -> Int in
                            running += 1
                            return running
                        }
                        highest.withLock { $0 = max($0, now) }
                        await Task.yield()
                        running.withLock { $0 -= 1 }
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(highest.withLock { $0 } <= 3)
        #expect(bulkhead.running == 0)
        #expect(bulkhead.waiting == 0)
        #expect(clock.sleepers == 0)
    }

    /// Runs `body` while one operation holds the only place, which `body` frees by returning.
    private func whileFull(_ bulkhead: Bulkhead, _ body: () async throws -> Void) async throws {
        let (mayEnd, end) = AsyncStream<Void>.makeStream()
        let (hasBegun, begin) = AsyncStream<Void>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await bulkhead.run {
                    begin.finish()
                    for await _ in mayEnd {}
                }
            }
            for await _ in hasBegun {}
            defer { end.finish() }
            try await body()
        }
    }

    @Test func oneMoreThanMayWaitIsRefused() async throws {
        let bulkhead = bulkhead(limit: 1, waiting: 0)
        try await whileFull(bulkhead) {
            let error = await #expect(throws: ResilienceError.self) { try await bulkhead.run {} }
            #expect(error?.code == .overloaded)
            #expect(error?.description == "turn verdicts: 1 running and 0 waiting")
        }
        try await bulkhead.run {}
    }

    @Test func waitingEndsAtItsDeadlineWithoutRunning() async throws {
        let bulkhead = bulkhead(limit: 1, waiting: 1)
        let ran = Shared(false)
        try await whileFull(bulkhead) {
            let error = await #expect(throws: ResilienceError.self) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await bulkhead.run { ran.withLock { $0 = true } } }
                    try await clock.waitForSleepers()
                    clock.advance(by: .seconds(5))
                    try await group.next()
                }
            }
            #expect(error?.code == .overloaded)
            #expect(bulkhead.waiting == 0)
        }
        #expect(!ran.withLock { $0 })
        #expect(bulkhead.running == 0)
    }

    @Test func aCancelledWaiterLeavesItsPlace() async throws {
        let bulkhead = bulkhead(limit: 1, waiting: 1)
        try await whileFull(bulkhead) {
            await #expect(throws: CancellationError.self) {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await bulkhead.run {} }
                    try await clock.waitForSleepers()
                    group.cancelAll()
                    try await group.next()
                }
            }
            #expect(bulkhead.waiting == 0)
        }
        #expect(bulkhead.running == 0)
    }

    @Test func anOperationThatThrowsFreesItsPlace() async throws {
        struct Broken: Error {}
        let bulkhead = bulkhead(limit: 1, waiting: 0)
        await #expect(throws: Broken.self) { try await bulkhead.run { throw Broken() } }
        #expect(try await bulkhead.run { 1 } == 1)
    }
}
