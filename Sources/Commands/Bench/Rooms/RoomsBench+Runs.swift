import ClusterSupport
import Foundation

/// Conversations, many at once or one after another.
extension RoomsBench {
    /// Milliseconds between two callers that begin.
    private static let stagger = 137
    /// How long a caller takes to be in the room and in the conversation.
    private static let settling = 5_000

    /// Holds conversations in `rooms` rooms at once. CPU is counted from the moment all talk until the first one ends.
    func run(_ load: BenchLoad, rooms: Int, from first: Int) async -> RoomsResult {
        let turns = rooms == 1 ? options.turns : max(8, (options.turns + rooms - 1) / rooms)
        let before = await BenchMetrics.read(cluster)
        let sampler = Task { () -> BenchSample in
            try? await Task.sleep(for: .milliseconds(rooms * Self.stagger + Self.settling))
            return self.sample()
        }
        var end: BenchSample?
        var reports: [RoomReport] = []
        await withTaskGroup(of: RoomReport.self) { group in
            for index in 0..<rooms {
                group.addTask {
                    // Real callers do not arrive at the same moment.
                    try? await Task.sleep(for: .milliseconds(index * Self.stagger))
                    return await RoomCall(bench: self, load: load, caller: first + index, turns: turns).run()
                }
            }
            for await report in group {
                if end == nil { end = sample() }
                reports.append(report)
            }
        }
        let after = await BenchMetrics.read(cluster)
        return RoomsResult(
            rooms: rooms, kind: load.kind, reports: reports, usage: (await sampler.value, end ?? sample()), idleMemory: idleMemory,
            metrics: after.difference(from: before))
    }

    /// Joins, hears the greeting and leaves, so many times, a few at once. `progress` is told what the worker holds every hundred.
    func churn(_ joins: Int, at once: Int, from first: Int, progress: (Int, RoomsFootprint) -> Void) async -> [RoomReport] {
        var reports: [RoomReport] = []
        while reports.count < joins {
            let batch = min(100, joins - reports.count)
            let begin = first + reports.count
            reports += await withTaskGroup(of: [RoomReport].self) { group in
                for lane in 0..<once {
                    group.addTask {
                        var own: [RoomReport] = []
                        for index in stride(from: lane, to: batch, by: once) { own.append(await self.visit(begin + index)) }
                        return own
                    }
                }
                return await group.reduce(into: []) { $0 += $1 }
            }
            await untilEmpty()
            if let footprint = await RoomsFootprint.read(cluster, Self.workers[0]) { progress(reports.count, footprint) }
        }
        return reports
    }

    private func visit(_ caller: Int) async -> RoomReport {
        var report = RoomReport()
        do { _ = try await RoomCall(bench: self, load: .setUps, caller: caller, turns: 0).begin(&report) } catch {
            report.failures.append("\(error)")
        }
        await callers.leave(caller)
        return report
    }

    /// Waits until the worker has left all rooms, or says that it did not.
    private func untilEmpty() async {
        for _ in 0..<60 {
            if await RoomsFootprint.read(cluster, Self.workers[0])?.sessions == 0 { break }
            try? await Task.sleep(for: .milliseconds(500))
        }
        // What is closed in the background is closed a little later.
        try? await Task.sleep(for: .seconds(2))
    }

    private func sample() -> BenchSample { BenchSample(cluster, workerCore: options.workerCore, otherCore: options.otherCore) }
}
