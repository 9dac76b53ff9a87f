import ClusterSupport
import LiveKitProtocol
import SessionLog
import Testing

extension ClusterTests {
    /// How calls in LiveKit rooms end, and calls that do not begin.
    @Suite(.enabled(if: RoomBed.isAvailable, RoomBed.absence)) struct RoomEndTests {
        /// A call that was greeted; `body` ends it, then the agent leaves and the log is closed, with this in its detail.
        private func end(
            _ detail: String, _ body: (RoomBed, RoomCallers, _ room: String, _ session: String) async throws -> Void
        ) async throws {
            let bed = try await RoomBed.shared()
            let callers = try bed.callers()
            defer { callers.stop() }
            let room = RoomBed.room()
            try await callers.join(room)
            let session = try await bed.session("host", room)
            try await callers.finished(1)
            try await body(bed, callers, room, session)
            let log = try await SessionLogs.whole(session, in: bed.cluster)
            #expect(log.closing?.reason == "client_disconnected", "\(NormalLog(log))")
            #expect(log.closing?.detail.contains(detail) == true, "\(log.closing?.detail ?? "nothing")")
            try await eventually("the agent has left") { (try? await bed.agents(in: room)) == [] }
        }

        @Test func theCallerLeaves() async throws {
            try await end("left the room") { _, callers, _, _ in try callers.tell("leave") }
        }

        @Test func theAPIEndsIt() async throws {
            try await end("ended by the API") { bed, callers, _, session in
                let url = bed.cluster.url() + "/v1/sessions/\(session)"
                #expect(try await API.send("DELETE", url, key: nil).status == 401)
                #expect(try await API.send("DELETE", url, key: LocalCluster.apiKey).status == 202)
                try await callers.event("left")
            }
        }

        @Test func theRoomIsDeleted() async throws {
            try await end("the room was closed") { bed, callers, room, _ in
                try await bed.api.deleteRoom(room)
                try await callers.event("disconnected")
            }
        }

        @Test func theAgentIsRemoved() async throws {
            try await end("the agent was removed") { bed, callers, room, _ in
                let agent = try #require(try await bed.agents(in: room).first)
                try await bed.api.removeParticipant(agent, room: room)
                try await callers.event("left")
            }
        }

        @Test func aCallerWhoComesBackIsAnswered() async throws {
            try await end("left the room") { bed, callers, room, session in
                // As a page that is loaded again: the new connection puts the old one out.
                try await callers.join(room, "again", identity: "caller")
                try await callers.event("disconnected")
                try await callers.event("track", "again")
                try callers.tell("say", "again", ["wav": bed.recording(0)])
                try await callers.finished(1, "again")
                let log = try await SessionLogs.events(of: session, in: bed.cluster, when: "the answer") { $0.heard.count == 2 }
                #expect(log.turns.map(\.text) == [Testbed.lines[0]])
                try callers.tell("leave", "again")
            }
        }

        @Test func anOptionThatIsNoneIsNamed() async throws {
            let bed = try await RoomBed.shared()
            let body = #"{"backend": "livekit", "agent": "misled", "room": "\#(RoomBed.room())"}"#
            let answer = try await API.send("POST", bed.cluster.url() + "/v1/sessions", body: body, key: LocalCluster.apiKey)
            #expect((400..<500).contains(answer.status), "\(answer)")
            for part in ["livekit", "folow", "is not an option", "follow, participant"] { #expect(answer.body.contains(part), "\(answer.body)") }
        }

        @Test(arguments: [
            (#"{"backend": "livekit", "agent": "host"}"#, "name the room"), (#"{"backend": "livekit", "agent": "nobody", "room": "r"}"#, "nobody"),
            (#"{"backend": "livekit", "agent": "host", "room": "r", "color": "red"}"#, "color"),
            (#"{"backend": "livekit", "agent": "host", "room": "r", "parameters": {"n": 1}}"#, "object of texts"),
            (#"{"backend": "telepathy", "agent": "host", "room": "r"}"#, "telepathy"), (#"{"backend": "pipecat", "agent": "host"}"#, "when a caller connects"),
        ])
        func aBadRequestIsExplained(body: String, part: String) async throws {
            let bed = try await RoomBed.shared()
            let answer = try await API.send("POST", bed.cluster.url() + "/v1/sessions", body: body, key: LocalCluster.apiKey)
            #expect((400..<500).contains(answer.status) && answer.body.contains(part), "\(answer)")
        }
    }
}
