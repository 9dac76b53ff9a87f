import ClusterSupport
import Foundation

/// One run with so many rooms at once.
struct RoomsResult: Sendable {
    /// Above these a run says nothing about the worker.
    private static let highestOtherLoad = 0.7
    private static let highestStolenShare = 0.05

    let rooms: Int
    let kind: BenchLoad.Kind
    let reports: [RoomReport]
    let usage: (begin: BenchSample, end: BenchSample)
    let idleMemory: Int
    let metrics: BenchMetrics

    /// Milliseconds from the end of speech to the answer.
    var responses: BenchFigures { BenchFigures(reports.flatMap(\.responses)) }

    /// - Parameter alone: the p95 of one room, where there is one to compare with
    func lines(alone: Double?) -> [String] {
        var lines = ["\(rooms) \(rooms == 1 ? "room" : "rooms"), \(kind == .interruptions ? "interrupted" : "questions")"]
        switch kind {
        case .interruptions:
            lines.append(
                RoomsMeasure("first sample of an interruption to the agent's last one", reports.flatMap(\.bargeIns), .p95(380)).line)
        default:
            lines.append(
                rooms == 1
                    ? RoomsMeasure("end of speech to first agent audio", reports.flatMap(\.responses), .p50(540), .p95(590)).line
                    : RoomsMeasure("end of speech to first agent audio", reports.flatMap(\.responses)).line)
        }
        if let alone, rooms > 1 {
            lines.append(String(format: "  p95 against one room: %+.0f ms; target < 200", responses.at(0.95) - alone))
        }
        lines.append(
            String(
                format: "  worker: %.2f CPU s per call minute (target < 2.2), %.2f MB per room (target < 6); cores of worker/others %.0f/%.0f %%",
                cpuPerCallMinute, megabytesPerRoom, workerLoad * 100, otherLoad * 100))
        lines.append(
            String(
                format: "  of that time %.2f s in Parley's threads, %.2f s in those of LiveKit's client library", ownPerCallMinute,
                cpuPerCallMinute - ownPerCallMinute))
        if !metrics.parts.isEmpty {
            let parts = metrics.parts.sorted { $0.value < $1.value }.map { String(format: "%@ %.0f", $0.key, $0.value) }
            lines.append("  mean ms from the end of speech at the worker: " + parts.joined(separator: ", "))
        }
        return lines + problems
    }

    // MARK: Cost

    private var callMinutes: Double { Double(rooms) * (usage.begin.time.duration(to: usage.end.time) / .seconds(60)) }

    private var cpuPerCallMinute: Double {
        guard let begin = usage.begin.worker, let end = usage.end.worker, callMinutes > 0 else { return 0 }
        return (end.cpuSeconds - begin.cpuSeconds) / callMinutes
    }

    private var ownPerCallMinute: Double { callMinutes > 0 ? (usage.end.ownSeconds - usage.begin.ownSeconds) / callMinutes : 0 }

    private var megabytesPerRoom: Double {
        guard let end = usage.end.worker else { return 0 }
        return Double(end.residentBytes - idleMemory) / 1_048_576 / Double(rooms)
    }

    private var workerLoad: Double { usage.begin.workerCore.flatMap { usage.end.workerCore?.load(since: $0) } ?? 0 }
    private var otherLoad: Double { usage.begin.otherCore.flatMap { usage.end.otherCore?.load(since: $0) } ?? 0 }

    // MARK: Problems

    private var problems: [String] {
        var lines: [String] = []
        if otherLoad > Self.highestOtherLoad {
            lines.append(String(format: "  VOID: the other core was busy %.0f %% (limit 70 %%)", otherLoad * 100))
        }
        let cores = [(usage.begin.workerCore, usage.end.workerCore), (usage.begin.otherCore, usage.end.otherCore)]
        let stolen = cores.compactMap { begin, end in begin.flatMap { end?.stolen(since: $0) } }.max() ?? 0
        if stolen > Self.highestStolenShare {
            lines.append(String(format: "  VOID: the host gave %.0f %% of a core's time to other machines (limit 5 %%)", stolen * 100))
        }
        let failures = reports.flatMap(\.failures)
        for failure in Set(failures).sorted().prefix(5) {
            lines.append("  FAILED: \(failure) (\(failures.filter { $0 == failure }.count) times)")
        }
        return lines
    }
}
