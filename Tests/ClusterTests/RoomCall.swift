import ClusterSupport
import Foundation
import SessionLog
import Testing

/// A call in a LiveKit room with an agent of a cluster of its own, whose processes may end.
struct RoomCall {
    /// What the agent `monologue` says when it greets.
    static let sentences = (1...7).map { "This is sentence number \($0) of a long and patient announcement." }

    let bed: RoomBed
    let cluster: LocalCluster
    let callers: RoomCallers
    let room: String
    let session: String

    /// Runs `body` with a caller who was in the room before the agent.
    static func run(
        _ agent: String, _ program: RoomCallers.Program = .python, dispatchers: Int = 1, _ body: (RoomCall) async throws -> Void
    ) async throws {
        let bed = try await RoomBed.shared()
        try await bed.withCluster(dispatchers: dispatchers) { cluster in
            let callers = try bed.callers(program)
            defer { callers.stop() }
            let room = RoomBed.room()
            try await callers.join(room)
            let session = try await bed.session(agent, room, in: cluster)
            try await body(RoomCall(bed: bed, cluster: cluster, callers: callers, room: room, session: session))
        }
    }

    func log() async throws -> [SessionLog.Event] { try await SessionLogs.events(of: session, in: cluster) }

    func log(when what: String, _ condition: ([SessionLog.Event]) -> Bool) async throws -> [SessionLog.Event] {
        try await SessionLogs.events(of: session, in: cluster, when: what, condition)
    }

    /// The worker that has the session.
    func owner() async throws -> String { try #require(try await log().owners.last) }

    func say(_ index: Int) throws { try callers.tell("say", "caller", ["wav": bed.recording(index)]) }

    func kill(_ name: String) async {
        cluster.signal(name, SIGKILL)
        _ = await cluster.waitForExit(name)
    }

    /// The caller has seen one agent under one name, and the server has one now.
    func expectOneAgent(comings: ClosedRange<Int>) async throws {
        let seen = callers.events("participant").compactMap(\.identity)
        #expect(Set(seen).count == 1 && comings.contains(seen.count), "\(callers.summary())")
        #expect(try await bed.agents(in: room) == [seen[0]])
        #expect(callers.events("left").count == seen.count - 1)
        #expect(callers.events("disconnected").isEmpty)
    }

    /// The greeting of the agent `monologue` was heard to its end, and the next turn is answered.
    @discardableResult
    func expectWhole() async throws -> [SessionLog.Event] {
        let log = try await log(when: "the greeting's end") { $0.heard.contains { $0.reply == 1 && $0.complete } }
        let sentences = log.compactMap { event in if case .sentence(let sentence) = event.body { sentence.text } else { nil } }
        #expect(sentences == Self.sentences, "\(NormalLog(log))")
        let told = callers.events("words").filter { $0.identity != "caller" }.compactMap(\.text)
        for number in 1...7 { #expect(told.contains { $0.contains("number \(number) of") }, "sentence \(number) was not told") }
        try say(0)
        let answered = try await self.log(when: "an answer") { $0.heard.count == 2 }
        #expect(answered.turns.map(\.text) == [Testbed.lines[0]] && answered.heard.allSatisfy(\.complete), "\(NormalLog(answered))")
        return answered
    }
}
