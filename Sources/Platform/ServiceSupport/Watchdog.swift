import Resilience
import Synchronization

/// Notices when something that must happen all the time stops happening.
package final class Watchdog: Sendable {
    private let limit: Duration
    private let clock: any MonotonicClock
    private let last: Mutex<ContinuousClock.Instant>

    init(limit: Duration, clock: any MonotonicClock) {
        self.limit = limit
        self.clock = clock
        last = Mutex(clock.now)
    }

    /// It happened. Cheap, from any thread.
    package func tick() {
        let now = clock.now
        last.withLock { $0 = now }
    }

    /// Why the watchdog barks; nil while all is well.
    var fault: String? {
        let silence = clock.now - last.withLock { $0 }
        return silence > limit ? "no sign of life for \(DurationText.format(silence))" : nil
    }
}
