import ClusterSupport
import Foundation
import LiveKitSimulator
import ProviderSimulator
import SessionLog
import Testing

extension ClusterTests {
    /// Calls in rooms of a real LiveKit server, with LiveKit's own client as the caller.
    @Suite(.enabled(if: RoomBed.isAvailable, RoomBed.absence)) struct RoomTests {
        @Test func aCallerHoldsAConversation() async throws { try await RoomConversations(.python).whole() }
        @Test func aCallerInterruptsTheAgent() async throws { try await RoomConversations(.python).interruption() }
        @Test func whoWritesIsAnswered() async throws { try await RoomConversations(.python).writing() }
        @Test func peopleMayAskByRPC() async throws { try await RoomConversations(.python).asking() }

        @Test func keysArePressedAndAnswered() async throws {
            try await RoomConversations(.python).call("host") { bed, callers, _, session in
                try await callers.finished(1)
                try callers.tell("dtmf", "caller", ["digits": "12#"])
                try await callers.finished(2)
                let log = try await SessionLogs.events(of: session, in: bed.cluster, when: "an answer") { $0.heard.count == 2 }
                #expect(log.turns.map(\.text) == ["12#"] && log.turns.first?.input == .inputDtmf && log.heard.last?.text == "You pressed twelve.", "\(log.turns)")
            }
        }

        @Test func roomsDoNotHearEachOther() async throws {
            try await RoomConversations(.python).call("lead-qualification") { bed, callers, _, session in
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
