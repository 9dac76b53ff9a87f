package import NIOCore
import Resilience
import ServiceLifecycle
import Synchronization
package import Telemetry

/// Measures how late the event loops are and lets a watchdog bark when one of them is stuck.
///
/// Every interval each loop runs a small task; how much later than due it ran is `parley_event_loop_lag_seconds`. Nothing that a loop
/// does takes less time than that, so a lag of a few milliseconds is already heard by callers.
package struct EventLoopMonitor: Service, CustomStringConvertible {
    /// Bounds in seconds for lags: 0.1 ms to 5 s.
    package static let lagBounds: [Double] = [
        0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5,
    ]

    private let loops: [any EventLoop]
    private let interval: TimeAmount
    private let metrics: MetricsRegistry
    private let health: Health

    /// - Parameter interval: how often a loop is asked.
    package init(
        _ group: any EventLoopGroup, metrics: MetricsRegistry, health: Health, interval: Duration = .milliseconds(100)
    ) {
        loops = Array(group.makeIterator())
        self.interval = TimeAmount(interval)
        self.metrics = metrics
        self.health = health
    }

    package var description: String { "event loop monitor" }

    /// Measures until the service is shut down.
    package func run() async throws {
        let tasks = loops.enumerated().map { index, loop in start(index, loop) }
        defer { for task in tasks { task.cancel() } }
        try? await gracefulShutdown()
    }

    private func start(_ index: Int, _ loop: any EventLoop) -> RepeatedTask {
        let watchdog = health.addWatchdog("event loop \(index)")
        let lag = metrics.histogram(
            "parley_event_loop_lag_seconds", help: "How much later than due an event loop ran a task.",
            buckets: Self.lagBounds, labels: ["loop": "\(index)"])
        let meter = LagMeter(interval: interval, start: .now())
        return loop.scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in
            watchdog.tick()
            lag.observe(meter.lag(at: .now()))
        }
    }
}

/// Works out how late a task ran that repeats at an interval after its last run.
final class LagMeter: Sendable {
    private let interval: TimeAmount
    private let due: Mutex<NIODeadline>

    init(interval: TimeAmount, start: NIODeadline) {
        self.interval = interval
        due = Mutex(start + interval)
    }

    /// The delay of the run at `now` in seconds, never negative; the next run is due an interval later.
    func lag(at now: NIODeadline) -> Double {
        due.withLock { due in
            defer { due = now + interval }
            return Double(max(0, (now - due).nanoseconds)) / 1e9
        }
    }
}
