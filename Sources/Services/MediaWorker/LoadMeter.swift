import Glibc
import NIOCore
package import Resilience
import Synchronization

/// How busy this process keeps the processors that it may use, 0...1, over the last second or more.
package final class LoadMeter: Sendable {
    /// Shorter times say more about chance than about load.
    private static let interval = Duration.seconds(1)

    private struct State {
        var since: ContinuousClock.Instant
        var used: Duration
        var share = 0.0
    }

    private let cores: Int
    private let clock: any MonotonicClock
    private let processTime: @Sendable () -> Duration
    private let state: Mutex<State>

    /// - Parameter processTime: processor time that has been used so far
    package init(
        cores: Int = System.coreCount, clock: any MonotonicClock = ContinuousClock(),
        processTime: @escaping @Sendable () -> Duration = LoadMeter.processTime
    ) {
        self.cores = max(1, cores)
        self.clock = clock
        self.processTime = processTime
        state = Mutex(State(since: clock.now, used: processTime()))
    }

    /// The share as of the last whole interval.
    package func share() -> Double {
        let now = clock.now
        return state.withLock { state in
            let elapsed = now - state.since
            guard elapsed >= Self.interval else { return state.share }
            let used = processTime()
            state.share = min(1, max(0, (used - state.used) / elapsed / Double(cores)))
            (state.since, state.used) = (now, used)
            return state.share
        }
    }

    /// User and system time of all threads of this process.
    package static func processTime() -> Duration {
        var time = timespec()
        guard clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 else { return .zero }
        return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
    }
}
