import NIOCore
import NIOPosix
import Resilience
import ServiceLifecycle
import Telemetry
import Testing

@testable import ServiceSupport

@Suite struct HealthTests {
    private struct Broken: Error, CustomStringConvertible {
        var description: String { "connection refused" }
    }

    private let clock = ManualClock()

    @Test func withoutChecksAProcessIsAliveAndReady() async {
        let health = Health(clock: clock)
        #expect(health.livenessFaults().isEmpty)
        #expect(await health.readinessFaults().isEmpty)
    }

    @Test func aCheckThatIsNotReadyOrThrowsIsNamedWithItsReason() async {
        let health = Health(clock: clock)
        health.addReadinessCheck("redis") { .notReady("no primary") }
        health.addReadinessCheck("postgres") { throw Broken() }
        health.addReadinessCheck("models") { .ready }
        #expect(await health.readinessFaults() == ["redis": "no primary", "postgres": "connection refused"])
        health.addReadinessCheck("redis") { .ready }
        #expect(await health.readinessFaults() == ["postgres": "connection refused"])
    }

    @Test func aCheckThatHangsIsNotReady() async throws {
        let health = Health(clock: clock)
        health.addReadinessCheck("store") { [clock] in
            try await clock.sleep(for: .seconds(1000))
            return .ready
        }
        async let faults = health.readinessFaults()
        try await clock.waitForSleepers(2)
        clock.advance(by: Health.checkLimit)
        #expect(await faults == ["store": "readiness check store: not done within 2.0 seconds"])
    }

    @Test func aProcessThatShutsDownIsNotReadyForTheFirstReason() async {
        let health = Health(clock: clock)
        health.beginShutdown("draining")
        health.beginShutdown("later")
        #expect(await health.readinessFaults() == ["shutdown": "draining"])
        #expect(health.livenessFaults().isEmpty)
    }

    @Test func aWatchdogBarksWhenNothingTicks() {
        let health = Health(clock: clock)
        let watchdog = health.addWatchdog("loop", limit: .seconds(5))
        clock.advance(by: .seconds(5))
        #expect(health.livenessFaults().isEmpty)
        clock.advance(by: .milliseconds(1))
        #expect(health.livenessFaults() == ["loop": "no sign of life for 5001ms"])
        watchdog.tick()
        #expect(health.livenessFaults().isEmpty)
    }

    @Test func lagIsMeasuredFromWhenARunWasDue() {
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        let meter = LagMeter(interval: .milliseconds(100), start: start)
        #expect(meter.lag(at: start + .milliseconds(100)) == 0)
        #expect(meter.lag(at: start + .milliseconds(250)) == 0.05)
        #expect(meter.lag(at: start + .milliseconds(350)) == 0)
        #expect(meter.lag(at: start + .milliseconds(400)) == 0)
    }

    @Test func everyEventLoopIsMeasuredUntilTheEnd() async throws {
        let registry = MetricsRegistry()
        let health = Health(clock: clock)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let monitor = EventLoopMonitor(group, metrics: registry, health: health, interval: .milliseconds(1))
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await monitor.run() }
            while ["0", "1"].contains(where: {
                registry.value("parley_event_loop_lag_seconds", labels: ["loop": $0]) ?? 0 < 3
            }) {
                await Task.yield()
            }
            clock.advance(by: .seconds(60))
            tasks.cancelAll()
            try await tasks.waitForAll()
        }
        try await group.shutdownGracefully()
        clock.advance(by: .seconds(60))
        #expect(Set(health.livenessFaults().keys) == ["event loop 0", "event loop 1"])
    }
}
