import CallerSimulator
import ClusterSupport
import Foundation

/// Measured values; percentiles by the nearest rank.
struct BenchFigures: Sendable {
    private let sorted: [Double]

    init(_ values: [Double]) { sorted = values.sorted() }

    var count: Int { sorted.count }

    /// The value below which the share lies; 0 where nothing was measured.
    func at(_ share: Double) -> Double {
        sorted.isEmpty ? 0 : sorted[max(0, Int((share * Double(sorted.count)).rounded(.up)) - 1)]
    }

    func text(_ share: Double) -> String { sorted.isEmpty ? "-" : String(format: "%.0f", at(share)) }
}

/// One run.
struct BenchResult: Sendable {
    /// Above these a run says nothing about the worker.
    private static let highestOtherLoad = 0.7
    private static let highestLateShare = 0.05
    private static let highestStolenShare = 0.05

    let calls: Int
    let reports: [CallReport]
    let usage: (begin: BenchSample, end: BenchSample)?
    let idleMemory: Int
    let metrics: BenchMetrics

    var response: BenchFigures { BenchFigures(reports.flatMap(\.exchanges).compactMap(\.responseMilliseconds)) }
    var bargeIn: BenchFigures { BenchFigures(reports.flatMap(\.exchanges).compactMap(\.bargeInMilliseconds)) }
    var ready: BenchFigures { BenchFigures(reports.compactMap(\.readyMilliseconds)) }
    var connect: BenchFigures { BenchFigures(reports.compactMap(\.connectMilliseconds)) }

    private var minutes: Double {
        guard let usage else { return 0 }
        let elapsed = usage.begin.time.duration(to: usage.end.time)
        return Double(calls) * Double(elapsed.components.seconds * 1_000 + elapsed.components.attoseconds / 1_000_000_000_000_000) / 60_000
    }
    var workerCPUPerCallMinute: Double {
        guard let begin = usage?.begin.worker, let end = usage?.end.worker, minutes > 0 else { return 0 }
        return (end.cpuSeconds - begin.cpuSeconds) / minutes
    }
    var dispatcherCPUPerCallMinute: Double {
        guard let begin = usage?.begin.dispatcher, let end = usage?.end.dispatcher, minutes > 0 else { return 0 }
        return (end.cpuSeconds - begin.cpuSeconds) / minutes
    }
    var megabytesPerCall: Double {
        guard let end = usage?.end.worker else { return 0 }
        return Double(end.residentBytes - idleMemory) / 1_048_576 / Double(calls)
    }
    private var workerLoad: Double { usage.flatMap { usage in usage.begin.workerCore.flatMap { usage.end.workerCore?.load(since: $0) } } ?? 0 }
    private var otherLoad: Double { usage.flatMap { usage in usage.begin.otherCore.flatMap { usage.end.otherCore?.load(since: $0) } } ?? 0 }
    private var stolenShare: Double {
        guard let begin = usage?.begin, let end = usage?.end else { return 0 }
        let cores = [(begin.workerCore, end.workerCore), (begin.otherCore, end.otherCore)]
        return cores.compactMap { begin, end in begin.flatMap { end?.stolen(since: $0) } }.max() ?? 0
    }
    private var lateShare: Double {
        let all = metrics.verdictsInTime + metrics.verdictsLate
        return all > 0 ? metrics.verdictsLate / all : 0
    }

    /// Why the run's numbers do not count, and what went wrong in calls.
    var problems: [String] {
        var lines: [String] = []
        if otherLoad > Self.highestOtherLoad {
            lines.append(String(format: "VOID: %d calls: the other core was busy %.0f %% (limit 70 %%)", calls, otherLoad * 100))
        }
        if lateShare > Self.highestLateShare {
            lines.append(String(format: "VOID: %d calls: %.0f %% of the turn model's verdicts were late (limit 5 %%)", calls, lateShare * 100))
        }
        if stolenShare > Self.highestStolenShare {
            lines.append(
                String(format: "VOID: %d calls: the host gave %.0f %% of a core's time to other machines (limit 5 %%)", calls, stolenShare * 100))
        }
        let failures = reports.flatMap(\.failures)
        for failure in Set(failures).sorted().prefix(5) {
            lines.append("FAILED: \(calls) calls: \(failure) (\(failures.filter { $0 == failure }.count) times)")
        }
        return lines
    }

    static let header = "calls turns  answered p50/p95/max ms  barge-in p50/p95 ms  ready p50/p95 ms  worker/dispatcher CPU s per call min"
        + "  MB/call  worker/other core  verdicts in time/late/skipped"

    var row: String {
        func pad(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
        return [
            pad("\(calls)", 5), pad("\(response.count + bargeIn.count)", 5),
            pad("\(response.text(0.5))/\(response.text(0.95))/\(response.text(1))", 23),
            pad("\(bargeIn.text(0.5))/\(bargeIn.text(0.95))", 20), pad("\(ready.text(0.5))/\(ready.text(0.95))", 17),
            pad(String(format: "%.2f/%.2f", workerCPUPerCallMinute, dispatcherCPUPerCallMinute), 38),
            pad(String(format: "%.2f", megabytesPerCall), 8), pad(String(format: "%.0f/%.0f %%", workerLoad * 100, otherLoad * 100), 18),
            pad(String(format: "%.0f/%.0f/%.0f", metrics.verdictsInTime, metrics.verdictsLate, metrics.verdictsSkipped), 30),
        ].joined(separator: " ")
    }

    /// Where the time goes, as means over the turns.
    var parts: String {
        guard !metrics.parts.isEmpty else { return "" }
        let shown = metrics.parts.sorted { $0.value < $1.value }.map { String(format: "%@ %.0f", $0.key, $0.value) }
        return "\(calls) calls, mean ms from the end of speech at the worker: " + shown.joined(separator: ", ")
    }

    var details: String {
        reports.enumerated().map { index, report in
            "  call \(index + 1): " + report.exchanges.map { exchange in
                (exchange.responseMilliseconds ?? exchange.bargeInMilliseconds).map { String(format: "%.0f", $0) } ?? "-"
            }.joined(separator: " ")
        }.joined(separator: "\n")
    }
}
