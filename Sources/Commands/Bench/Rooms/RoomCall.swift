import Foundation

/// What one caller measured.
struct RoomReport: Sendable, Equatable {
    /// Milliseconds from the request for the agent to its first audio, and to its participant in the room.
    var greeting: Double?
    var arrival: Double?
    /// Milliseconds from the last sample of each utterance to the agent's first one.
    var responses: [Double] = []
    /// Milliseconds from the first sample of each interruption to the agent's last one.
    var bargeIns: [Double] = []
    var failures: [String] = []
}

/// One conversation in a room.
struct RoomCall: Sendable {
    let bench: RoomsBench
    let load: BenchLoad
    let caller: Int
    let turns: Int

    private var callers: RoomCallers { bench.callers }

    /// Joins, lets the agent greet, and talks with it.
    func run() async -> RoomReport {
        var report = RoomReport()
        do {
            let asked = try await begin(&report)
            try await converse(from: asked, &report)
        } catch { report.failures.append("\(error)") }
        await callers.leave(caller)
        return report
    }

    /// Joins and waits for the greeting. Returns the moment of its first audio.
    func begin(_ report: inout RoomReport) async throws -> Double {
        if let problem = try await bench.join(caller) { throw CommandError(problem) }
        let asked = try await bench.ask(caller)
        let audible = try await event(.audible, after: asked, "no greeting was heard")
        report.greeting = (audible.at - asked) * 1_000
        if let arrived = await callers.wait(for: .agentJoined, of: caller, after: asked, seconds: 1) {
            report.arrival = (arrived.at - asked) * 1_000
        }
        return audible.at
    }

    private func converse(from greeting: Double, _ report: inout RoomReport) async throws {
        var audible = greeting
        for turn in 0..<turns {
            // Pauses of their own, so that callers do not move in step.
            let spread = (caller * 7 + turn * 3) % 10
            let interrupts = load.kind == .interruptions && turn > 0
            if interrupts {
                try await sleep(milliseconds: 900 + spread * 70)
            } else {
                _ = try await event(.silent, after: audible, "the agent does not stop talking")
                try await sleep(milliseconds: spread * 50)
            }
            let spoken = try await say(load.utterances[turn % load.utterances.count])
            if interrupts {
                let silent = try await event(.silent, after: spoken.from, "the agent was not interrupted")
                report.bargeIns.append((silent.at - spoken.from) * 1_000)
            }
            audible = try await event(.audible, after: interrupts ? spoken.from : spoken.to, "no answer was heard").at
            report.responses.append((audible - spoken.to) * 1_000)
        }
    }

    /// Speaks a line and waits for its end.
    func say(_ text: String) async throws -> (from: Double, to: Double) {
        let moment = RoomEvent.now
        callers.say(caller, file: bench.file(text))
        let from = try await event(.spokeFrom, after: moment, "the caller does not speak")
        let to = try await event(.spokeTo, after: moment, "the caller does not speak to the end")
        return (from.at, to.at)
    }

    func event(_ kind: RoomEvent.Kind, after moment: Double, _ problem: String) async throws -> RoomEvent {
        if let event = await callers.wait(for: kind, of: caller, after: moment) { return event }
        let failed = callers.events(of: caller).last { $0.kind == .failed }
        throw CommandError(problem + (failed.map { "; the caller says: \($0.detail)" } ?? ""))
    }

    func sleep(milliseconds: Int) async throws { try await Task.sleep(for: .milliseconds(milliseconds)) }
}
