/// A number that goes up and down: sessions, queue lengths, memory.
///
/// Get one from `MetricsRegistry.gauge(_:help:labels:)` once, keep it, and change it from any thread without a lock.
package final class Gauge: Sendable {
    private let current = AtomicDouble(0)

    init() {}

    /// Replaces the value.
    package func set(_ value: Double) {
        current.store(value)
    }

    /// Replaces the value.
    package func set(_ value: Int) {
        current.store(Double(value))
    }

    /// Changes the value by `amount`, which may be negative.
    package func add(_ amount: Double) {
        current.add(amount)
    }

    /// Adds `amount`.
    package func increment(by amount: Int = 1) {
        current.add(Double(amount))
    }

    /// Subtracts `amount`.
    package func decrement(by amount: Int = 1) {
        current.add(-Double(amount))
    }

    /// The value now.
    package var value: Double {
        current.load()
    }
}
