/// How long to wait before trying again: longer each time, up to a maximum, and not in step with others.
package struct Backoff: Sendable, Equatable {
    /// The longest wait before the first retry.
    package var initial: Duration
    /// What each wait is longer by.
    package var multiplier: Double
    /// No wait is longer than this.
    package var maximum: Duration
    /// The share of a wait that is random, 0 (none) to 1 (anything from nothing to the whole wait).
    package var jitter: Double

    package init(
        initial: Duration = .milliseconds(100), multiplier: Double = 2, maximum: Duration = .seconds(10),
        jitter: Double = 0.5
    ) {
        self.initial = initial
        self.multiplier = max(1, multiplier)
        self.maximum = maximum
        self.jitter = min(max(jitter, 0), 1)
    }

    /// The wait before retry number `retry`, counted from 0.
    package func delay(retry: Int, using random: inout some RandomNumberGenerator) -> Duration {
        let full = longest(retry: retry)
        guard jitter > 0 else { return full }
        return full * (1 - jitter * Double.random(in: 0..<1, using: &random))
    }

    private func longest(retry: Int) -> Duration {
        guard initial > .zero else { return .zero }
        guard multiplier > 1 else { return min(initial, maximum) }
        var (delay, step) = (initial, 0)
        // Stops at the maximum: a large retry number neither overflows nor takes long.
        while step < retry, delay < maximum {
            delay = delay * multiplier
            step += 1
        }
        return min(delay, maximum)
    }
}

extension Duration {
    fileprivate static func * (duration: Duration, factor: Double) -> Duration {
        let (seconds, attoseconds) = duration.components
        return .seconds((Double(seconds) + Double(attoseconds) / 1e18) * factor)
    }
}
