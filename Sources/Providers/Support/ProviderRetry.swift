package import Conversation

/// When a provider tries again. A caller is waiting, so the first retry is quick and there are few.
package struct ProviderRetry: Sendable, Hashable {
    /// Tries in all.
    package var attempts: Int
    /// Milliseconds before the second try.
    package var firstDelay: Int
    /// Each further delay is this many times the one before.
    package var factor: Double
    /// No delay is longer, in milliseconds; a vendor that asks for more gets no retry, so that a fallback can take over.
    package var longestDelay: Int

    package init(attempts: Int = 3, firstDelay: Int = 100, factor: Double = 4, longestDelay: Int = 2_000) {
        self.attempts = attempts
        self.firstDelay = firstDelay
        self.factor = factor
        self.longestDelay = longestDelay
    }

    /// For connections that last as long as a call: tries for about half a minute.
    package static let connection = ProviderRetry(attempts: 8, firstDelay: 150, factor: 2, longestDelay: 8_000)

    /// Milliseconds to wait after `failures` failed tries in a row, the last with `error`; nil gives up. Jitter of up to a fifth is
    /// taken off, so that a thousand calls do not come back at once.
    package func delay(after error: ProviderError, failures: Int) -> Int? {
        guard error.isRetryable, failures < attempts else { return nil }
        if let asked = error.retryAfterMilliseconds { return asked <= longestDelay ? max(asked, firstDelay) : nil }
        var delay = Double(firstDelay)
        for _ in 1..<max(failures, 1) { delay *= factor }
        delay = min(delay, Double(longestDelay))
        return Int(delay * Double.random(in: 0.8...1))
    }
}
