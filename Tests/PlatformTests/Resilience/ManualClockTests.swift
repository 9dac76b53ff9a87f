import Resilience
import Testing

@Suite struct ManualClockTests {
    @Test func sleepersWakeOnlyWhenTheirInstantHasCome() async throws {
        let clock = ManualClock()
        let woken = Shared<[Int]>([])
        try await withThrowingTaskGroup(of: Void.self) { group in
            for seconds in [2, 1, 3] {
                group.addTask {
                    try await clock.sleep(for: .seconds(seconds))
                    woken.withLock { $0.append(seconds) }
                }
            }
            try await clock.waitForSleepers(3)
            clock.advance(by: .milliseconds(999))
            #expect(clock.sleepers == 3)
            for remaining in [2, 1, 0] {
                #expect(clock.advanceToNextSleeper())
                #expect(clock.sleepers == remaining)
                try await group.next()
            }
        }
        #expect(woken.withLock { $0 } == [1, 2, 3])
        #expect(clock.elapsed == .seconds(3))
        #expect(!clock.advanceToNextSleeper())
    }

    @Test func sleepingUntilThePastReturnsAtOnce() async throws {
        let clock = ManualClock()
        try await clock.sleep(until: clock.now, tolerance: nil)
        try await clock.sleep(for: .seconds(-1))
    }
}
