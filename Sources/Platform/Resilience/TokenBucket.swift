/// A limit on how often something may happen: a steady rate with bursts. A value; it reads no clock.
package struct TokenBucket: Sendable, Equatable {
    /// The most tokens there can be, that is the largest burst.
    package let capacity: Double
    /// Tokens that come back per second; 0 means never.
    package let refillPerSecond: Double
    private var tokens: Double
    private var updated: ContinuousClock.Instant

    /// A full bucket.
    package init(capacity: Double, refillPerSecond: Double, now: ContinuousClock.Instant) {
        self.capacity = max(0, capacity)
        self.refillPerSecond = max(0, refillPerSecond)
        tokens = self.capacity
        updated = now
    }

    /// What became of a request for tokens.
    package enum Outcome: Sendable, Equatable {
        /// The tokens were taken.
        case taken
        /// Nothing was taken; enough tokens are there after this time, nil if there never will be.
        case refused(retryAfter: Duration?)
    }

    /// Takes `count` tokens, all or none.
    package mutating func take(_ count: Double = 1, now: ContinuousClock.Instant) -> Outcome {
        refill(now)
        guard tokens < count else {
            tokens -= count
            return .taken
        }
        guard refillPerSecond > 0, count <= capacity else { return .refused(retryAfter: nil) }
        return .refused(retryAfter: .seconds((count - tokens) / refillPerSecond))
    }

    /// Puts tokens back that were taken and not used.
    package mutating func put(_ count: Double, now: ContinuousClock.Instant) {
        refill(now)
        tokens = min(capacity, tokens + max(0, count))
    }

    /// The tokens there are at `now`.
    package func available(now: ContinuousClock.Instant) -> Double {
        var copy = self
        copy.refill(now)
        return copy.tokens
    }

    private mutating func refill(_ now: ContinuousClock.Instant) {
        // An earlier instant than the last one gives nothing and takes nothing.
        guard now > updated else { return }
        let elapsed = (now - updated).components
        tokens = min(
            capacity, tokens + (Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18) * refillPerSecond)
        updated = now
    }
}
