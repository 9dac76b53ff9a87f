import Synchronization

/// A `Double` that any thread may read and change without a lock.
///
/// The processor has no atomic floating-point addition, so the value is kept as its bit pattern and exchanged.
struct AtomicDouble: ~Copyable, Sendable {
    private let bits: Atomic<UInt64>

    init(_ value: Double) {
        bits = Atomic(value.bitPattern)
    }

    func load() -> Double {
        Double(bitPattern: bits.load(ordering: .relaxed))
    }

    func store(_ value: Double) {
        bits.store(value.bitPattern, ordering: .relaxed)
    }

    func add(_ amount: Double) {
        var expected = bits.load(ordering: .relaxed)
        while true {
            let desired = (Double(bitPattern: expected) + amount).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(
                expected: expected, desired: desired, ordering: .relaxed)
            if exchanged { return }
            expected = original
        }
    }

    func raise(to value: Double) {
        var expected = bits.load(ordering: .relaxed)
        while Double(bitPattern: expected) < value {
            let (exchanged, original) = bits.weakCompareExchange(
                expected: expected, desired: value.bitPattern, ordering: .relaxed)
            if exchanged { return }
            expected = original
        }
    }
}
