import Resilience
import Testing

@Suite struct CircuitBreakerTests {
    private struct Broken: Error {}

    private let start = ContinuousClock().now

    private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

    private func machine(probes: Int = 1, successes: Int = 2) -> CircuitBreakerMachine {
        CircuitBreakerMachine(
            .init(
                window: .seconds(10), minimumCalls: 4, failureShare: 0.5, openFor: .seconds(1),
                openForAtMost: .seconds(3),
                probes: probes, successesToClose: successes))
    }

    private func call(
        _ machine: inout CircuitBreakerMachine, _ outcome: CircuitBreakerMachine.Outcome, at seconds: Double
    ) {
        guard case .admitted(let admission) = machine.admit(now: at(seconds)) else {
            Issue.record("refused at \(seconds)")
            return
        }
        machine.record(outcome, of: admission, now: at(seconds))
    }

    private func opened() -> CircuitBreakerMachine {
        var machine = machine()
        for _ in 0..<4 { call(&machine, .failure, at: 0) }
        return machine
    }

    @Test func staysClosedBelowTheMinimumOfCallsAndBelowTheShare() {
        var machine = machine()
        for _ in 0..<3 { call(&machine, .failure, at: 0) }
        #expect(machine.phase == .closed)
        for _ in 0..<4 { call(&machine, .success, at: 11) }
        for _ in 0..<3 { call(&machine, .failure, at: 12) }
        #expect(machine.phase == .closed)
        call(&machine, .failure, at: 12)
        #expect(machine.phase == .open)
    }

    @Test func oldFailuresLeaveTheWindow() {
        var machine = machine()
        for _ in 0..<3 { call(&machine, .failure, at: 0) }
        call(&machine, .failure, at: 10.5)
        #expect(machine.phase == .closed)
    }

    @Test func openRefusesUntilItsTimeIsUpThenLetsOneProbeThrough() {
        var machine = opened()
        #expect(machine.admit(now: at(0.4)) == .refused(retryAfter: .seconds(0.6)))
        guard case .admitted(let probe) = machine.admit(now: at(1)) else {
            Issue.record("no probe")
            return
        }
        #expect(probe.isProbe)
        #expect(machine.phase == .halfOpen)
        #expect(machine.admit(now: at(1)) == .refused(retryAfter: .zero))
    }

    @Test func successfulProbesCloseIt() {
        var machine = opened()
        call(&machine, .success, at: 1)
        #expect(machine.phase == .halfOpen)
        call(&machine, .success, at: 1.1)
        #expect(machine.phase == .closed)
        for _ in 0..<3 { call(&machine, .failure, at: 1.2) }
        #expect(machine.phase == .closed)
    }

    @Test func everyFailedProbeDoublesTheWaitUpToTheMaximum() {
        var machine = opened()
        call(&machine, .failure, at: 1)
        #expect(machine.admit(now: at(2.9)) == .refused(retryAfter: at(3) - at(2.9)))
        call(&machine, .failure, at: 3)
        call(&machine, .failure, at: 6)
        #expect(machine.admit(now: at(8.5)) == .refused(retryAfter: .seconds(0.5)))
        call(&machine, .success, at: 9)
        call(&machine, .success, at: 9)
        for _ in 0..<4 { call(&machine, .failure, at: 9) }
        #expect(machine.admit(now: at(9)) == .refused(retryAfter: .seconds(1)))
    }

    @Test func anIgnoredProbeMakesRoomForAnother() {
        var machine = opened()
        call(&machine, .ignored, at: 1)
        #expect(machine.phase == .halfOpen)
        call(&machine, .success, at: 1)
    }

    @Test func outcomesFromAnEarlierPhaseSayNothing() {
        var machine = machine(successes: 1)
        guard case .admitted(let slow) = machine.admit(now: at(0)) else { return }
        for _ in 0..<4 { call(&machine, .failure, at: 0) }
        machine.record(.success, of: slow, now: at(0.5))
        #expect(machine.phase == .open)
        call(&machine, .success, at: 1)
        #expect(machine.phase == .closed)
        machine.record(.failure, of: slow, now: at(1))
        for _ in 0..<3 { call(&machine, .failure, at: 1) }
        #expect(machine.phase == .closed)
    }

    @Test func theSharedBreakerNamesItsServiceAndReportsItsPhases() async throws {
        let clock = ManualClock()
        let phases = Shared<[CircuitBreaker.Phase]>([])
        let breaker = CircuitBreaker(
            "stt deepgram", configuration: .init(minimumCalls: 2, openFor: .seconds(1), successesToClose: 1),
            clock: clock
        ) { phase in phases.withLock { $0.append(phase) } }
        for _ in 0..<2 {
            await #expect(throws: Broken.self) { try await breaker.run { throw Broken() } }
        }
        let error = await #expect(throws: ResilienceError.self) { try await breaker.run {} }
        #expect(error?.code == .circuitOpen)
        #expect(error?.subject == "stt deepgram")
        #expect(error?.retryAfter == .seconds(1))
        clock.advance(by: .seconds(1))
        #expect(try await breaker.run { 5 } == 5)
        #expect(phases.withLock { $0 } == [.open, .halfOpen, .closed])
    }

    @Test func cancellationIsNotAFailureOfTheService() async {
        let breaker = CircuitBreaker("x", configuration: .init(minimumCalls: 1), clock: ManualClock())
        await #expect(throws: CancellationError.self) { try await breaker.run { throw CancellationError() } }
        #expect(breaker.phase == .closed)
    }
}
