import Synchronization

/// Keeps retries a small share of all calls, so that they do not become the load that keeps a struggling service down.
///
/// Every first attempt earns `retriesPerCall` of a retry, every retry spends one. A reserve, filled at the start, lets rare
/// callers retry at all. Share one budget among all callers of a service.
package final class RetryBudget: Sendable {
    private let retriesPerCall: Double
    private let reserve: Double
    private let balance: Mutex<Double>

    /// - Parameters:
    ///   - retriesPerCall: retries earned per first attempt; 0.1 lets retries add a tenth to the load.
    ///   - reserve: the most that can be saved up, in retries.
    package init(retriesPerCall: Double = 0.1, reserve: Double = 10) {
        self.retriesPerCall = max(0, retriesPerCall)
        self.reserve = max(0, reserve)
        balance = Mutex(max(0, reserve))
    }

    /// Earns the share of a retry that a first attempt is worth.
    package func earn() {
        balance.withLock { $0 = min(reserve, $0 + retriesPerCall) }
    }

    /// Spends one retry; false when there is none left.
    package func spend() -> Bool {
        balance.withLock { balance in
            guard balance >= 1 else { return false }
            balance -= 1
            return true
        }
    }
}
