import Foundation

/// A measured quantity beside what it must reach.
struct RoomsMeasure: Sendable {
    /// A percentile that must be lower.
    struct Target: Sendable {
        let share: Double
        let limit: Double

        static func p50(_ limit: Double) -> Target { Target(share: 0.5, limit: limit) }
        static func p95(_ limit: Double) -> Target { Target(share: 0.95, limit: limit) }
    }

    let name: String
    let figures: BenchFigures
    let targets: [Target]

    init(_ name: String, _ values: [Double], _ targets: Target...) {
        self.name = name
        figures = BenchFigures(values)
        self.targets = targets
    }

    var line: String {
        let measured = "p50 \(figures.text(0.5)), p95 \(figures.text(0.95)), max \(figures.text(1)) ms (\(figures.count))"
        guard !targets.isEmpty else { return "  \(name): \(measured)" }
        let wanted = targets.map { String(format: "p%.0f < %.0f", $0.share * 100, $0.limit) }.joined(separator: ", ")
        return "  \(name): \(measured); target \(wanted): \(verdict)"
    }

    private var verdict: String {
        guard figures.count > 0 else { return "not measured" }
        return targets.allSatisfy { figures.at($0.share) < $0.limit } ? "reached" : "MISSED"
    }
}
