import ClusterSupport
import Foundation
import LiveKitSimulator
import ProviderSimulator
import SessionLog
import Testing

extension ClusterTests {
    /// Calls in rooms of a real LiveKit server, with LiveKit's own client as the caller.
    @Suite(.enabled(if: RoomBed.isAvailable, RoomBed.absence)) struct RoomTests {
        /// LiveKit's numbers: an agent among the participants, an audio track, from a microphone; an error of the application.
        private static let (agentKind, audio, microphone, applicationError) = (4, 1, 2, 1_500)

        /// A call of one caller, who is in the room before the agent.
        private func call(
            _ agent: String, _ body: (RoomBed, RoomCallers, _ room: String, _ session: String) async throws -> Void
        ) async throws {
            let bed = try await RoomBed.shared()
            let callers = try bed.callers()
            defer { callers.stop() }
            let room = RoomBed.room()
            try await callers.join(room)
            try await body(bed, callers, room, try await bed.session(agent, room))
        }

        @Test func aCallerHoldsAConversation() async throws {
            try await call("lead-qualification") { bed, callers, room, session in
                for index in Testbed.lines.indices {
                    try await callers.finished(index + 1)
                    try callers.tell("say", "caller", ["wav": bed.recording(index)])
                }
                let log = try await SessionLogs.whole(session, in: bed.cluster)
                #expect(log.turns.map(\.text) == Testbed.lines)
                #expect(log.closing?.reason == "completed")
                #expect(log.heard.allSatisfy(\.complete) && log.heard.count == Testbed.lines.count + 1)
                let left = try await callers.event("left")
                try expectContract(callers, agent: left.identity ?? "", log)
                #expect(try await bed.agents(in: room).isEmpty)
            }
        }

        /// What LiveKit's frontends look at.
        private func expectContract(_ callers: RoomCallers, agent: String, _ log: [SessionLog.Event]) throws {
            let agents = callers.events("participant")
            #expect(agents.map(\.identity) == [agent] && agents.first?.kind == Self.agentKind)
            let tracks = callers.events("track")
            #expect(tracks.map(\.kind) == [Self.audio] && tracks.first?.source == Self.microphone && tracks.first?.identity == agent)
            let states = callers.states()
            #expect(states.first == "initializing" && Set(states) == ["initializing", "listening", "thinking", "speaking"], "\(states)")
            // Every turn is thought about, and then spoken about; so is the greeting.
            #expect(states.count { $0 == "thinking" } >= Testbed.lines.count, "\(states)")
            #expect(states.count { $0 == "speaking" } == Testbed.lines.count + 1, "\(states)")

            let words = callers.texts(of: agent)
            #expect(words.compactMap(\.text) == log.heard.map(\.text))
            #expect(Set(words.compactMap(\.segment)).count == words.count)
            #expect(words.allSatisfy { $0.track == tracks.first?.sid })
            // Text comes in step with the audio, piece by piece.
            let pieces = callers.events("words").filter { $0.identity == agent }
            #expect(pieces.count > 3 * words.count && pieces.allSatisfy { $0.final == "false" })

            let said = callers.texts(of: "caller")
            #expect(said.compactMap(\.text) == Testbed.lines)
            let published = try #require(callers.events("published").first?.sid)
            for line in said {
                let interims = callers.texts(of: "caller", final: false).filter { $0.segment == line.segment }
                #expect(!interims.isEmpty && interims.allSatisfy { line.text?.hasPrefix($0.text ?? "-") == true }, "\(interims)")
                #expect(line.track == published)
            }
            #expect(callers.events("broken").isEmpty)
        }

        @Test func aCallerInterruptsTheAgent() async throws {
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

        @Test func whoWritesIsAnswered() async throws {
            try await call("host") { bed, callers, _, session in
                try await callers.finished(1)
                try callers.tell("chat", "caller", ["text": "Tell me a story."])
                try await callers.finished(2)
                let log = try await SessionLogs.events(of: session, in: bed.cluster, when: "an answer") { $0.heard.count == 2 }
                #expect(log.turns.map(\.text) == ["Tell me a story."] && log.turns.first?.input == .inputText)
                #expect(log.heard.last?.complete == true && log.heard.last?.text == RoomBed.story + ".")
            }
        }

        @Test func peopleMayAskByRPC() async throws {
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
                #expect(refusal.code == Self.applicationError && refusal.text?.contains("people") == true)
                try callers.tell("rpc", "caller", ["method": "parley.nothing", "id": "4"])
                try await callers.event("refusal") { $0.id == "4" }
            }
        }

        @Test func keysArePressedAndAnswered() async throws {
            try await call("host") { bed, callers, _, session in
                try await callers.finished(1)
                try callers.tell("dtmf", "caller", ["digits": "12#"])
                try await callers.finished(2)
                let log = try await SessionLogs.events(of: session, in: bed.cluster, when: "an answer") { $0.heard.count == 2 }
                #expect(log.turns.map(\.text) == ["12#"] && log.turns.first?.input == .inputDtmf && log.heard.last?.text == "You pressed twelve.", "\(log.turns)")
            }
        }

        @Test func roomsDoNotHearEachOther() async throws {
            try await call("lead-qualification") { bed, callers, _, session in
                let other = RoomBed.room()
                try await callers.join(other, "other", identity: "caller")
                let quiet = try await bed.session("silent", other)
                try await callers.event("track", "other")
                for index in 0..<2 {
                    try await callers.finished(index + 1)
                    try callers.tell("say", "caller", ["wav": bed.recording(index)])
                }
                try await callers.finished(3)
                #expect(callers.events("loud", "other").isEmpty && callers.events("text", "other").isEmpty)
                #expect(Set(callers.events("participant", "other").map(\.identity)).count == 1)
                // It would have heard.
                try callers.tell("say", "other", ["wav": bed.recording(0)])
                try await callers.finished(1, "other")
                let logs = try await (SessionLogs.events(of: session, in: bed.cluster), SessionLogs.events(of: quiet, in: bed.cluster))
                #expect(logs.0.turns.map(\.text) == Array(Testbed.lines[..<2]) && logs.1.turns.map(\.text) == [Testbed.lines[0]])
            }
        }

        /// As many as a debug build serves beside everything else on two cores; 50 is for more of them, or an optimised build.
        private static let rooms = ProcessInfo.processInfo.environment["PARLEY_TEST_ROOMS"].flatMap { Int($0) } ?? 5
        /// Callers who speak at the same time: their process and the server are on the same cores.
        private static let speaking = 2

        @Test func manyRoomsHoldATurnEach() async throws {
            let bed = try await RoomBed.shared()
            let callers = try bed.callers()
            defer { callers.stop() }
            let rooms = (0..<Self.rooms).map { (name: "caller\($0)", room: RoomBed.room()) }
            var sessions: [String] = []
            for (name, room) in rooms {
                try await callers.join(room, name)
                sessions.append(try await bed.session("host", room))
            }
            for (name, _) in rooms { try await callers.finished(1, name) }
            for first in stride(from: 0, to: rooms.count, by: Self.speaking) {
                let wave = rooms[first..<min(first + Self.speaking, rooms.count)]
                for (name, _) in wave { try callers.tell("say", name, ["wav": bed.recording(0)]) }
                for (name, _) in wave { try await callers.finished(2, name) }
            }
            for session in sessions {
                let log = try await SessionLogs.events(of: session, in: bed.cluster, when: "two replies") { $0.heard.count >= 2 }
                #expect(log.turns.map(\.text) == [Testbed.lines[0]] && log.heard.allSatisfy(\.complete), "\(NormalLog(log))")
            }
            for (name, _) in rooms { try callers.tell("leave", name) }
            for session in sessions {
                #expect(try await SessionLogs.whole(session, in: bed.cluster).closing?.reason == "client_disconnected")
            }
        }
    }
}
