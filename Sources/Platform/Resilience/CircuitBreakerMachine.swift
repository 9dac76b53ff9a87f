/// Decides whether a service that may be failing is called at all. A value; it reads no clock.
///
/// Closed, all calls pass and their outcomes are counted over a sliding window. When too many fail it opens: calls are refused for a
/// while. Then it is half open: a few probes pass, and when enough of them succeed it closes; a probe that fails opens it again,
/// for longer.
package struct CircuitBreakerMachine: Sendable {
    /// When the breaker opens and closes.
    package struct Configuration: Sendable, Equatable {
        /// The time over which outcomes are counted.
        package var window: Duration
        /// With fewer calls in the window than this the breaker stays closed.
        package var minimumCalls: Int
        /// The share of failed calls in the window at which it opens, 0...1.
        package var failureShare: Double
        /// How long it stays open at first.
        package var openFor: Duration
        /// How long it stays open at most; the time doubles with each failed probe.
        package var openForAtMost: Duration
        /// Calls that may run at once while half open.
        package var probes: Int
        /// Probes in a row that must succeed to close it.
        package var successesToClose: Int

        package init(
            window: Duration = .seconds(10), minimumCalls: Int = 5, failureShare: Double = 0.5,
            openFor: Duration = .seconds(1),
            openForAtMost: Duration = .seconds(30), probes: Int = 1, successesToClose: Int = 2
        ) {
            self.window = window
            self.minimumCalls = max(1, minimumCalls)
            self.failureShare = failureShare
            self.openFor = openFor
            self.openForAtMost = max(openFor, openForAtMost)
            self.probes = max(1, probes)
            self.successesToClose = max(1, successesToClose)
        }
    }

    /// What the breaker does with calls.
    package enum Phase: String, Sendable, Equatable {
        case closed, open, halfOpen
    }

    /// A call that was let through; given back with its outcome.
    package struct Admission: Sendable, Equatable {
        fileprivate let epoch: UInt64
        /// Whether the call is a probe of a service that has been failing.
        package let isProbe: Bool
    }

    /// The answer to a caller.
    package enum Decision: Sendable, Equatable {
        case admitted(Admission)
        /// Not now; a probe may be let through after this time, zero while other probes are under way.
        case refused(retryAfter: Duration)
    }

    /// How a call ended.
    package enum Outcome: Sendable, Equatable {
        case success
        case failure
        /// Nothing was learnt about the service: cancelled, or refused for the caller's own fault.
        case ignored
    }

    private enum State {
        case closed(SlidingCounts)
        case open(until: ContinuousClock.Instant)
        case halfOpen(running: Int, succeeded: Int)
    }

    private let configuration: Configuration
    private var state: State
    private var openFor: Duration
    // Changes with every change of phase: outcomes of calls from an earlier phase say nothing about this one.
    private var epoch: UInt64 = 0

    package init(_ configuration: Configuration = Configuration()) {
        self.configuration = configuration
        openFor = configuration.openFor
        state = .closed(SlidingCounts(window: configuration.window))
    }

    /// The phase as of the last call to `admit` or `record`.
    package var phase: Phase {
        switch state {
        case .closed: .closed
        case .open: .open
        case .halfOpen: .halfOpen
        }
    }

    /// Asks to make a call at `now`. Every admission must be given back through `record`.
    package mutating func admit(now: ContinuousClock.Instant) -> Decision {
        switch state {
        case .closed:
            return .admitted(Admission(epoch: epoch, isProbe: false))
        case .open(let until) where now < until:
            return .refused(retryAfter: until - now)
        case .open:
            enter(.halfOpen(running: 1, succeeded: 0))
            return .admitted(Admission(epoch: epoch, isProbe: true))
        case .halfOpen(let running, let succeeded):
            guard running < configuration.probes else { return .refused(retryAfter: .zero) }
            state = .halfOpen(running: running + 1, succeeded: succeeded)
            return .admitted(Admission(epoch: epoch, isProbe: true))
        }
    }

    /// Reports how an admitted call ended.
    package mutating func record(_ outcome: Outcome, of admission: Admission, now: ContinuousClock.Instant) {
        guard admission.epoch == epoch else { return }
        switch (state, outcome) {
        case (.closed(var counts), .success), (.closed(var counts), .failure):
            counts.add(failed: outcome == .failure, now: now)
            state = .closed(counts)
            if counts.calls >= configuration.minimumCalls, counts.failureShare >= configuration.failureShare {
                open(now)
            }
        case (.halfOpen(let running, let succeeded), .success):
            if succeeded + 1 >= configuration.successesToClose {
                close()
            } else {
                state = .halfOpen(running: running - 1, succeeded: succeeded + 1)
            }
        case (.halfOpen, .failure):
            openFor = min(openFor + openFor, configuration.openForAtMost)
            open(now)
        case (.halfOpen(let running, let succeeded), .ignored):
            state = .halfOpen(running: running - 1, succeeded: succeeded)
        case (.closed, .ignored), (.open, _):
            break
        }
    }

    private mutating func open(_ now: ContinuousClock.Instant) {
        enter(.open(until: now + openFor))
    }

    private mutating func close() {
        openFor = configuration.openFor
        enter(.closed(SlidingCounts(window: configuration.window)))
    }

    private mutating func enter(_ next: State) {
        state = next
        epoch += 1
    }
}
