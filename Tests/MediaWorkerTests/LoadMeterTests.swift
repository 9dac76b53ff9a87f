import Resilience
import Synchronization
import Testing

@testable import MediaWorkerService

@Suite struct LoadMeterTests {
    private final class Used: Sendable {
        private let state = Mutex(Duration.zero)
        var time: Duration {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }

    private let clock = ManualClock()

    @Test func theShareIsThatOfTheLastWholeInterval() {
        let used = Used()
        let meter = LoadMeter(cores: 2, clock: clock) { used.time }
        #expect(meter.share() == 0)
        used.time = .milliseconds(500)
        clock.advance(by: .milliseconds(900))
        #expect(meter.share() == 0)
        clock.advance(by: .milliseconds(100))
        #expect(meter.share() == 0.25)
        // Nothing was used since, and the interval is not over.
        clock.advance(by: .milliseconds(999))
        #expect(meter.share() == 0.25)
        clock.advance(by: .milliseconds(1))
        #expect(meter.share() == 0)
        // More than there is cannot be used, whatever the clocks say.
        used.time += .seconds(9)
        clock.advance(by: .seconds(2))
        #expect(meter.share() == 1)
    }

    @Test func processTimeGoesUpWithWork() {
        let before = LoadMeter.processTime()
        var sum = 0
        for number in 0..<3_000_000 { sum &+= number &* number }
        #expect(sum != 1)
        #expect(LoadMeter.processTime() > before)
    }
}
