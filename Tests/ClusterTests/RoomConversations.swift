import Foundation
import ProviderSimulator
import SessionLog
import Testing

/// What agents and callers do in LiveKit rooms whatever client the callers have.
struct RoomConversations {
    let program: RoomCallers.Program

    init(_ program: RoomCallers.Program) { self.program = program }

    /// A call of one caller, who is in the room before the agent.
    func call(
        _ agent: String, _ body: (RoomBed, RoomCallers, _ room: String, _ session: String) async throws -> Void
    ) async throws {
        let bed = try await RoomBed.shared()
        let callers = try bed.callers(program)
        defer { callers.stop() }
        let room = RoomBed.room()
        try await callers.join(room)
        try await body(bed, callers, room, try await bed.session(agent, room))
    }

    /// Every line is answered and the agent ends the call.
    ///
    /// - Parameter also: looks at it before the callers' program ends
    func whole(also: (RoomCallers, [SessionLog.Event]) throws -> Void = { _, _ in }) async throws {
        try await call("lead-qualification") { bed, callers, room, session in
            for index in Testbed.lines.indices {
                try await callers.finished(index + 1)
                try callers.tell("say", "caller", ["wav": bed.recording(index)])
            }
            let log = try await SessionLogs.whole(session, in: bed.cluster)
            #expect(log.turns.map(\.text) == Testbed.lines)
            #expect(log.closing?.reason == "completed")
            #expect(log.heard.allSatisfy(\.complete) && log.heard.count == Testbed.lines.count + 1, "\(NormalLog(log))")
            let left = try await callers.event("left")
            try callers.expectContract(of: left.identity ?? "", log)
            try also(callers, log)
            #expect(try await bed.agents(in: room).isEmpty)
        }
    }

    func interruption() async throws {
        try await call("host") { bed, callers, _, session in
            try await callers.finished(1)
            try callers.tell("chat", "caller", ["text": "Tell me a story."])
            try await callers.event("words") { $0.text?.contains("very old") == true }
            let stopped = callers.events("quiet").count
            try callers.tell("say", "caller", ["wav": bed.recording(0)])
            try await callers.event("quiet", "caller", stopped + 1)
            let log = try await SessionLogs.events(of: session, in: bed.cluster, when: "the interruption") { $0.heard.count >= 2 }
            let heard = try #require(log.heard.last)
            #expect(heard.interrupted && RoomBed.story.hasPrefix(heard.text) && heard.text.contains("very old"))
            #expect(heard.text.count < RoomBed.story.count / 2, "\(heard.text)")
            let told = try await callers.event("text") { $0.text?.hasPrefix("Once") == true }
            #expect(told.final == "true" && told.text == heard.text)
            // The audio ends with the last word in the transcript and what was in flight.
            let (begun, ended) = (callers.events("loud")[stopped].at ?? 0, callers.events("quiet")[stopped].at ?? 0)
            let spoken = ToneVoice.layout(heard.text, rate: 16_000).count / 16
            #expect(ended - begun < spoken + 1_000, "\(ended - begun) ms of audio for \(spoken) ms of words")
            try await callers.finished(3)
            #expect(callers.texts(of: "caller").compactMap(\.text) == [Testbed.lines[0]])
            #expect(try await SessionLogs.events(of: session, in: bed.cluster).turns.map(\.text) == ["Tell me a story.", Testbed.lines[0]])
        }
    }

    func writing() async throws {
        try await call("host") { bed, callers, _, session in
            try await callers.finished(1)
            try callers.tell("chat", "caller", ["text": "Tell me a story."])
            try await callers.finished(2)
            let log = try await SessionLogs.events(of: session, in: bed.cluster, when: "an answer") { $0.heard.count == 2 }
            #expect(log.turns.map(\.text) == ["Tell me a story."] && log.turns.first?.input == .inputText)
            #expect(log.heard.last?.complete == true && log.heard.last?.text == RoomBed.story + ".")
        }
    }

    func asking() async throws {
        try await call("host") { bed, callers, room, session in
            try await callers.finished(1)
            try callers.tell("chat", "caller", ["text": "Tell me a story."])
            try await callers.finished(2)
            try await callers.join(room, "machine", identity: "machine", ["kind": "agent", "microphone": false])
            let agent = try #require(callers.events("participant").first?.identity)
            try callers.tell("rpc", "caller", ["method": "parley.transcript", "id": "1"])
            let transcript = try await callers.event("answer") { $0.id == "1" }.text ?? ""
            let lines = try #require(try JSONSerialization.jsonObject(with: Data(transcript.utf8)) as? [[String: Any]])
            #expect(lines.compactMap { $0["text"] as? String } == ["Hello, this is the host.", "Tell me a story.", RoomBed.story + "."])
            #expect(lines.compactMap { $0["role"] as? String } == ["agent", "user", "agent"])
            try callers.tell("rpc", "caller", ["method": "parley.state", "id": "2"])
            let state = try await callers.event("answer") { $0.id == "2" }.text ?? ""
            #expect(state.contains(session) || state.contains("listening") || state.contains("host"), "\(state)")
            try callers.tell("rpc", "machine", ["method": "parley.transcript", "id": "3", "to": agent])
            let refusal = try await callers.event("refusal", "machine") { $0.id == "3" }
            #expect(refusal.code == RoomCallers.applicationError && refusal.text?.contains("people") == true)
            try callers.tell("rpc", "caller", ["method": "parley.nothing", "id": "4"])
            try await callers.event("refusal") { $0.id == "4" }
        }
    }
}
