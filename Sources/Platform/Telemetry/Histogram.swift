import Synchronization

/// A distribution of observations in fixed buckets.
///
/// Get one from `MetricsRegistry.histogram(_:help:buckets:labels:)` once, keep it, and observe from any thread: an observation
/// is a short scan of the bounds and two atomic additions.
package final class Histogram: Sendable {
    /// Bounds in seconds for latencies that a caller can hear: 5 ms to 10 s, closest together between 0.2 and 0.6 s,
    /// where the delay of a spoken answer lies.
    package static let voiceLatencyBounds: [Double] = [
        0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.8, 1, 1.5, 2, 3,
        5, 10,
    ]

    /// The upper bounds of the buckets, ascending, without the infinite one.
    package let bounds: [Double]
    private let cells: [Cell]
    private let total = AtomicDouble(0)

    // `Atomic` cannot be copied and so cannot be an array's element; each bucket is an object of its own.
    private final class Cell: Sendable {
        let count = Atomic<UInt64>(0)
    }

    init(bounds: [Double]) {
        self.bounds = Set(bounds.filter(\.isFinite)).sorted()
        cells = (0...self.bounds.count).map { _ in Cell() }
    }

    /// Records one observation in the metric's unit, seconds for latencies. NaN is ignored.
    package func observe(_ value: Double) {
        guard !value.isNaN else { return }
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        cells[index].count.wrappingAdd(1, ordering: .relaxed)
        total.add(value)
    }

    /// Records a duration in seconds.
    package func observe(_ duration: Duration) {
        observe(duration.seconds)
    }

    /// What has been observed so far.
    ///
    /// The count is the sum of the buckets read, so the two always agree; an observation under way may be missing from `sum`.
    package var snapshot: Snapshot {
        Snapshot(bounds: bounds, counts: cells.map { $0.count.load(ordering: .relaxed) }, sum: total.load())
    }

    /// The state of a histogram at one moment.
    package struct Snapshot: Sendable, Equatable {
        /// Upper bounds, ascending, without the infinite one.
        package let bounds: [Double]
        /// Observations per bucket, not cumulative; one more than `bounds`, the last is what was above all of them.
        package let counts: [UInt64]
        /// The sum of all observations.
        package let sum: Double

        /// The number of observations.
        package var count: UInt64 { counts.reduce(0, +) }

        /// An estimate of the value that the share `quantile` (0...1) of the observations does not exceed.
        ///
        /// Interpolated inside a bucket; the highest bound when it lies above all bounds; nil without observations.
        package func quantile(_ quantile: Double) -> Double? {
            guard count > 0, let highest = bounds.last else { return nil }
            let rank = min(max(quantile, 0), 1) * Double(count)
            var below = 0.0
            for (index, bound) in bounds.enumerated() {
                let inBucket = Double(counts[index])
                if inBucket > 0, below + inBucket >= rank {
                    let lower = index == 0 ? 0 : bounds[index - 1]
                    return lower + (bound - lower) * (rank - below) / inBucket
                }
                below += inBucket
            }
            return highest
        }
    }
}
