/// Durations as people write them in configuration: `250ms`, `1.5s`, `5m`, `1h`, `7d`.
package enum DurationText {
    private static let units: [(name: String, milliseconds: Int64)] = [
        ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1),
    ]

    /// The duration, exact to a millisecond; nil when there is no unit, when it is negative, or beyond ten years.
    package static func parse(_ text: String) -> Duration? {
        let number = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        guard let value = Double(number), let unit = units.first(where: { $0.name == text.dropFirst(number.count) })
        else {
            return nil
        }
        let milliseconds = (value * Double(unit.milliseconds)).rounded()
        guard milliseconds <= 315_576_000_000 else { return nil }
        return .milliseconds(Int64(milliseconds))
    }

    /// The duration in the largest unit that keeps it whole; fractions of a millisecond are dropped.
    package static func format(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        guard milliseconds != 0, let unit = units.first(where: { milliseconds % $0.milliseconds == 0 }) else {
            return "0s"
        }
        return "\(milliseconds / unit.milliseconds)\(unit.name)"
    }
}
