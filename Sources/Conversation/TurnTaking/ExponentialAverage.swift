/// An exponential moving average held within bounds: new = alpha * old + (1 - alpha) * sample.
struct ExponentialAverage: Sendable, Hashable {
    private let alpha: Double
    private let initial: Double?
    private(set) var value: Double?
    private var minimum: Double
    private var maximum: Double

    /// Nil unless `alpha` is within 0...1. Without `initial` the first sample is the value.
    init?(alpha: Double, initial: Double? = nil, minimum: Double = -.infinity, maximum: Double = .infinity) {
        guard (0...1).contains(alpha) else { return nil }
        self.alpha = alpha
        self.initial = initial
        self.minimum = minimum
        self.maximum = maximum
        self.value = initial.map { Swift.max(minimum, Swift.min(maximum, $0)) }
    }

    mutating func add(_ sample: Double) {
        value = clamp(value.map { alpha * $0 + (1 - alpha) * sample } ?? sample)
    }

    /// Starts again, from `initial` or from where it started before.
    mutating func reset(to initial: Double? = nil) { value = (initial ?? self.initial).map(clamp) }

    /// Moves the bounds, and the value if it lies outside of them. The upper bound wins.
    mutating func bound(minimum: Double, maximum: Double) {
        self.minimum = minimum
        self.maximum = maximum
        value = value.map(clamp)
    }

    private func clamp(_ value: Double) -> Double { min(max(value, minimum), maximum) }
}
