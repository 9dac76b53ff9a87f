import Synchronization

/// A number that only goes up: events, bytes, seconds spent.
///
/// Get one from `MetricsRegistry.counter(_:help:labels:)` once, keep it, and count with it from any thread: a count is one
/// atomic addition. Handles of the same name and labels share one value.
package final class Counter: Sendable {
    // Two parts, so that whole counts stay exact and take one instruction while fractions remain possible.
    private let whole = Atomic<UInt64>(0)
    private let fraction = AtomicDouble(0)

    init() {}

    /// Counts `amount` more. Negative amounts are ignored: a counter cannot go down.
    package func increment(by amount: Int = 1) {
        guard amount > 0 else { return }
        whole.wrappingAdd(UInt64(amount), ordering: .relaxed)
    }

    /// Adds a quantity that is not whole, such as seconds or money. Negative and non-finite amounts are ignored.
    package func add(_ amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        fraction.add(amount)
    }

    /// Adds a duration in seconds.
    package func add(_ duration: Duration) {
        add(duration.seconds)
    }

    /// What has been counted so far.
    package var value: Double {
        Double(whole.load(ordering: .relaxed)) + fraction.load()
    }

    /// For totals that something else counts, the kernel for example. Lower values are ignored.
    func raise(to total: Double) {
        fraction.raise(to: total)
    }
}
