import Foundation

/// What a run prints at its end.
struct ChaosReport {
    private static let shown = 5
    /// Above this share of the processors times say nothing.
    static let highestLoad = 0.7
    static let highestStolen = 0.05

    let verdict: ChaosCheck.Verdict
    let lines: [ChaosRecovery.Line]
    /// Shares of all cores, 0...1.
    let load: Double
    let stolen: Double
    /// What went wrong with the run itself.
    let problems: [String]

    var hasPassed: Bool { verdict.violations.isEmpty && problems.isEmpty }

    var text: String {
        ([table, departures, timing, invariants].filter { !$0.isEmpty } + problems.map { "FAILED: \($0)" }).joined(
            separator: "\n\n")
    }

    private var table: String {
        let head = Self.row(
            "fault", "times", "calls", "recovered after ms", "pause in speech ms", "answered after ms",
            widths: Self.widths)
        let under = Self.row(
            "", "", "hit", "p50/p95/max", "p95/max (count)", "p50/p95/max (count)", widths: Self.widths)
        return
            ([head, under]
            + lines.map { line in
                let (recovery, gaps, answers) = (
                    BenchFigures(line.recoveries), BenchFigures(line.gaps), BenchFigures(line.answers)
                )
                return Self.row(
                    line.kind.rawValue, "\(line.count)", "\(line.calls)",
                    "\(recovery.text(0.5))/\(recovery.text(0.95))/\(recovery.text(1))",
                    "\(gaps.text(0.95))/\(gaps.text(1)) (\(gaps.count))",
                    "\(answers.text(0.5))/\(answers.text(0.95))/\(answers.text(1)) (\(answers.count))",
                    widths: Self.widths)
            }).joined(separator: "\n")
    }

    private var departures: String {
        let figures = BenchFigures(lines.flatMap(\.departures))
        guard figures.count > 0 else { return "" }
        return
            "calls left a drained worker p50/p95/max \(figures.text(0.5))/\(figures.text(0.95))/\(figures.text(1)) ms after the turn in progress (target < 5000)"
    }

    private static let widths = [18, 6, 6, 20, 20, 26]

    private static func row(_ cells: String..., widths: [Int]) -> String {
        zip(cells, widths).map { cell, width in cell + String(repeating: " ", count: max(1, width - cell.count)) }
            .joined()
    }

    private var timing: String {
        var lines = [
            String(
                format: "CPU of this machine: %.0f %% busy, %.0f %% taken away by its host", load * 100, stolen * 100)
        ]
        if load > Self.highestLoad {
            lines.append("VOID: the times above do not count, the machine was busy above 70 %")
        }
        if stolen > Self.highestStolen {
            lines.append("VOID: the times above do not count, the host took more than 5 % away")
        }
        return lines.joined(separator: "\n")
    }

    private var invariants: String {
        let counts = verdict.counts.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ")
        var lines = [
            "looked at: \(counts)", "", "invariants: violations (and what the table of promises allows near its fault)",
        ]
        for kind in ChaosViolation.Kind.allCases {
            let found = verdict.violations.filter { $0.kind == kind }
            let promised = verdict.promised.count { $0.kind == kind }
            lines.append(
                (found.isEmpty ? "  ok      " : "  FAILED  ") + "\(kind.rawValue): \(found.count) (\(promised))")
            lines += found.prefix(Self.shown).map { "            \($0.call): \($0.detail)" }
        }
        lines.append(verdict.violations.isEmpty ? "all invariants hold" : "\(verdict.violations.count) violations")
        return lines.joined(separator: "\n")
    }
}
