import ClusterSupport
import Foundation

/// What a caller notices when its worker goes.
struct RoomHandover: Sendable, Equatable {
    /// Milliseconds from the end of the worker to the first audio of its successor.
    var audible: Double?
    /// Milliseconds between the last frame of the old track and the first one of the new; 0 where they overlap.
    var gap: Double?
    /// Milliseconds in which no agent was in the room.
    var absence: Double?

    /// From what the caller said, the worker having ended or having been told to at a moment.
    init(_ events: [RoomEvent], at moment: Double) {
        guard let begins = events.first(.streamBegins, after: moment) else { return }
        audible = events.first(.audible, after: max(moment, begins.at - 0.001)).map { ($0.at - moment) * 1_000 }
        if let ends = events.first(.streamEnds, after: moment) { gap = max(0, begins.at - ends.at) * 1_000 }
        if let left = events.first(.agentLeft, after: moment) {
            // A participant that came before the old one went was never away.
            let joined = events.first(.agentJoined, after: moment)?.at ?? left.at
            absence = max(0, joined - left.at) * 1_000
        }
    }
}

/// Workers that die or leave in the middle of a conversation.
extension RoomsBench {
    /// One conversation in which the worker that has it gets a signal: SIGKILL in the middle of a reply, SIGTERM after it.
    func handOver(_ caller: Int, _ load: BenchLoad, signal: Int32) async -> (handover: RoomHandover?, failures: [String]) {
        var report = RoomReport()
        var handover: RoomHandover?
        do { handover = try await handOver(caller, load, signal, &report) } catch { report.failures.append("\(error)") }
        await callers.leave(caller)
        return (handover, report.failures)
    }

    private func handOver(_ caller: Int, _ load: BenchLoad, _ signal: Int32, _ report: inout RoomReport) async throws -> RoomHandover {
        let call = RoomCall(bench: self, load: load, caller: caller, turns: 1)
        let greeting = try await call.begin(&report)
        let silent = try await call.event(.silent, after: greeting, "the greeting does not end")
        var moment = silent.at
        if signal == SIGKILL {
            let spoken = try await call.say(load.utterances[0])
            moment = try await call.event(.audible, after: spoken.to, "no answer was heard").at
        }
        try await call.sleep(milliseconds: 1_000 + caller * 37 % 300)
        guard let worker = await busyWorker() else { throw CommandError("no worker has the room") }
        moment = RoomEvent.now
        cluster.signal(worker, signal)
        let begins = try await call.event(.streamBegins, after: moment, "nobody took the room over")
        if signal == SIGKILL { _ = try await call.event(.audible, after: begins.at - 0.001, "the successor is not heard") }
        try await call.sleep(milliseconds: 1_500)
        let handover = RoomHandover(callers.events(of: caller), at: moment)
        guard await cluster.waitForExit(worker, seconds: 60) != nil else { throw CommandError("\(worker) does not end") }
        try cluster.launch(worker)
        try await cluster.waitUntilReady(worker)
        return handover
    }

    /// The worker that is in a room.
    private func busyWorker() async -> String? {
        for worker in Self.workers {
            if let footprint = await RoomsFootprint.read(cluster, worker), footprint.handles > 0, footprint.sessions > 0 { return worker }
        }
        return nil
    }
}
