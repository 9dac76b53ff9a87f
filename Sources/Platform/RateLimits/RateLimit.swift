/// How often something may happen: a steady rate, and how many at once after a pause.
package struct RateLimit: Sendable, Hashable, CustomStringConvertible {
    package var perSecond: Double
    /// The most tokens that a bucket of this limit holds.
    package var burst: Double

    package init(perSecond: Double, burst: Double) {
        self.perSecond = max(0, perSecond)
        self.burst = max(0, burst)
    }

    /// As vendors count: a whole minute's worth may be taken at once.
    package static func perMinute(_ count: Double) -> RateLimit { RateLimit(perSecond: count / 60, burst: count) }

    /// Reads `RATE:BURST`, both positive: `50:500` is 50 a second, 500 at once. Nil for anything else.
    package init?(parsing text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { Double($0) ?? 0 }
        guard parts.count == 2, parts.allSatisfy({ $0 > 0 && $0 <= 1e9 }) else { return nil }
        self.init(perSecond: parts[0], burst: parts[1])
    }

    package var description: String {
        perSecond < 10 ? "\(Self.text(perSecond * 60)) per minute" : "\(Self.text(perSecond)) per second"
    }

    private static func text(_ value: Double) -> String {
        let rounded = (value * 100).rounded() / 100
        return rounded == rounded.rounded() ? "\(Int64(rounded))" : "\(rounded)"
    }
}
