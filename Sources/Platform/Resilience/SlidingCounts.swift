/// Counts calls and failures over the last stretch of time, in ten steps.
struct SlidingCounts: Sendable {
    private static let steps = 10

    private struct Step {
        var start: ContinuousClock.Instant
        var calls = 0
        var failures = 0
    }

    private let window: Duration
    private var recent: [Step] = []

    init(window: Duration) {
        self.window = window
    }

    mutating func add(failed: Bool, now: ContinuousClock.Instant) {
        recent.removeAll { $0.start + window <= now }
        if recent.last.map({ $0.start + window / Self.steps <= now }) ?? true { recent.append(Step(start: now)) }
        recent[recent.count - 1].calls += 1
        recent[recent.count - 1].failures += failed ? 1 : 0
    }

    /// Calls in the window as of the last call added.
    var calls: Int { recent.reduce(0) { $0 + $1.calls } }

    /// The share of them that failed, 0...1.
    var failureShare: Double {
        calls == 0 ? 0 : Double(recent.reduce(0) { $0 + $1.failures }) / Double(calls)
    }
}
