import LiveKitSimulator
import Testing

@testable import LiveKitProtocol

/// Every call, against the simulator.
@Suite(.timeLimit(.minutes(1))) struct ServerAPITests {
    @Test func roomsAreCreatedListedChangedAndDeleted() async throws {
        try await withSimulator { simulator, api in
            let room = try await api.createRoom(
                "kitchen", metadata: "m", emptyTimeout: .seconds(7), departureTimeout: .seconds(8),
                maximumParticipants: 3,
                agents: [LiveKitRoomAgentDispatch(agentName: "cook")])
            #expect(room.name == "kitchen" && room.metadata == "m" && room.sid.hasPrefix("RM_"))
            #expect(
                room.emptyTimeout == 7 && room.departureTimeout == 8 && room.maxParticipants == 3
                    && room.creationTime > 1_700_000_000)
            #expect(try await api.createRoom("kitchen").sid == room.sid)
            _ = try await api.createRoom("cellar")
            #expect(try await api.listRooms().map(\.name) == ["cellar", "kitchen"])
            #expect(try await api.listRooms(["kitchen", "attic"]).map(\.name) == ["kitchen"])
            #expect(try await api.updateRoomMetadata("kitchen", metadata: "n").metadata == "n")
            #expect(try await api.listDispatches("kitchen").map(\.agentName) == ["cook"])
            try await api.deleteRoom("kitchen")
            #expect(try await api.listRooms().map(\.name) == ["cellar"])
            #expect(await code { try await api.deleteRoom("kitchen") } == .notFound)
            #expect(await code { _ = try await api.updateRoomMetadata("kitchen", metadata: "") } == .notFound)
        }
    }

    @Test func participantsAreListedChangedMutedAndRemoved() async throws {
        try await withSimulator { simulator, api in
            #expect(try await api.listParticipants("kitchen").isEmpty)
            try simulator.join("anna", room: "kitchen")
            let track = try simulator.publish(.microphone, by: "anna", room: "kitchen")
            let listed = try await api.listParticipants("kitchen")
            #expect(
                listed.map(\.identity) == ["anna"] && listed[0].tracks == [track] && listed[0].permission.canPublish)
            let changed = try await api.updateParticipant(
                "anna", room: "kitchen", name: "Anna", metadata: "m", attributes: ["a": "1", "b": "2"])
            #expect(changed.name == "Anna" && changed.metadata == "m" && changed.attributes == ["a": "1", "b": "2"])
            var permission = LiveKitParticipantPermission()
            permission.canSubscribe = true
            let again = try await api.updateParticipant(
                "anna", room: "kitchen", attributes: ["a": ""], permission: permission)
            #expect(again.name == "Anna" && again.attributes == ["b": "2"] && again.permission == permission)
            #expect(try await api.muteTrack(track.sid, of: "anna", room: "kitchen").muted)
            #expect(try await api.participant("anna", room: "kitchen").tracks.first?.muted == true)
            #expect(
                await code { _ = try await api.muteTrack(track.sid, of: "anna", room: "kitchen", muted: false) }
                    == .failedPrecondition)
            try await api.removeParticipant("anna", room: "kitchen")
            #expect(await code { _ = try await api.participant("anna", room: "kitchen") } == .notFound)
            #expect(await code { try await api.removeParticipant("anna", room: "kitchen") } == .notFound)
            #expect(await code { _ = try await api.updateParticipant("anna", room: "kitchen", name: "x") } == .notFound)
            #expect(await code { _ = try await api.muteTrack("TR_x", of: "anna", room: "kitchen") } == .unavailable)
        }
    }

    @Test func dataIsSent() async throws {
        try await withSimulator { simulator, api in
            _ = try await api.createRoom("kitchen")
            try await api.sendData([0, 255, 1], room: "kitchen", topic: "t", to: ["anna"], reliably: false)
            try await api.sendData([], room: "kitchen")
            let packets = simulator.packets
            #expect(packets.count == 2 && Array(packets[0].data) == [0, 255, 1])
            #expect(
                packets[0].topic == "t" && packets[0].destinationIdentities == ["anna"] && packets[0].kind == .lossy)
            #expect(!packets[1].hasTopic && packets[1].kind == .reliable)
            #expect(await code { try await api.sendData([1], room: "attic") } == .unavailable)
        }
    }

    @Test func agentsAreDispatched() async throws {
        try await withSimulator { simulator, api in
            let agent = LiveKitRoomAgentDispatch(agentName: "cook", metadata: "m", attributes: ["a": "b"])
            let dispatch = try await api.createDispatch(agent, room: "kitchen")
            #expect(
                dispatch.agentName == "cook" && dispatch.room == "kitchen" && dispatch.metadata == "m"
                    && dispatch.attributes == ["a": "b"])
            #expect(dispatch.id.hasPrefix("AD_") && dispatch.state.createdAt > 0)
            let listed = try await api.listDispatches("kitchen", id: dispatch.id)
            #expect(listed.map(\.id) == [dispatch.id] && listed[0].state.jobs.isEmpty)
            // The room was created for it, and a room asks any agent that has no name.
            #expect(try await api.listDispatches("kitchen").map(\.agentName) == ["", "cook"])
            #expect(try await api.deleteDispatch(dispatch.id, room: "kitchen").id == dispatch.id)
            #expect(await code { _ = try await api.deleteDispatch(dispatch.id, room: "kitchen") } == .notFound)
            #expect(await code { _ = try await api.listDispatches("attic") } == .unavailable)
        }
    }

    @Test func aTokenMayBringAnAgent() async throws {
        try await withSimulator { simulator, api in
            var token = LiveKitAccessToken(identity: "anna", video: .join("kitchen"))
            token.agents = [LiveKitRoomAgentDispatch(agentName: "cook", metadata: "m")]
            try simulator.join(token.signed(by: simulator.credentials, lifetime: .seconds(60), now: wallClock()))
            #expect(await simulator.agents.wait { $0.jobs.map(\.agentName) == ["cook"] }?.jobs.first?.metadata == "m")
            #expect(try await api.listDispatches("kitchen").map(\.agentName) == ["cook"])
        }
    }

    @Test func peopleAreCalledAndTransferred() async throws {
        try await withSimulator { simulator, api in
            var call = LiveKitCall(trunk: "ST_simulated", number: "+4930123456", room: "kitchen")
            call.identity = "callee"
            call.name = "Otto"
            call.attributes = ["a": "b"]
            call.ringing = .milliseconds(20_500)
            call.waitUntilAnswered = true
            let info = try await api.dial(call)
            #expect(info.participantIdentity == "callee" && info.roomName == "kitchen" && !info.sipCallID.isEmpty)
            let callee = try await api.participant("callee", room: "kitchen")
            #expect(
                callee.kind == .sip && callee.name == "Otto" && callee.attributes["sip.phoneNumber"] == "+4930123456"
                    && callee.attributes["a"] == "b")
            let answer = try await api.transfer("callee", room: "kitchen", to: "tel:+49301")
            #expect(answer.status == .stsTransferSuccessful && simulator.transfers == ["callee": "tel:+49301"])
            #expect(await code { _ = try await api.transfer("callee", room: "kitchen", to: "tel:+49301") } == .notFound)
            #expect(
                await code { _ = try await api.transfer("callee", room: "kitchen", to: "+49301") } == .invalidArgument)
            try simulator.join("anna", room: "kitchen")
            #expect(
                await code { _ = try await api.transfer("anna", room: "kitchen", to: "tel:+49301") } == .invalidArgument
            )
            #expect(
                await code { _ = try await api.dial(LiveKitCall(trunk: "ST_other", number: "+49", room: "kitchen")) }
                    == .notFound)
        }
    }

    @Test func aBusyCalleeIsAnErrorWithTheReason() async throws {
        try await withSimulator { simulator, api in
            simulator.setBusy(["+49301"])
            let error = await #expect(throws: LiveKitError.self) {
                _ = try await api.dial(LiveKitCall(trunk: "ST_simulated", number: "+49301", room: "kitchen"))
            }
            #expect(error?.metadata["sip_status_code"] == "486" && error?.message.contains("Busy Here") == true)
            // A phone does not ring twice.
            #expect(simulator.calls.count == 1)
        }
    }

    @Test func roomsAreRecorded() async throws {
        try await withSimulator { simulator, api in
            try simulator.join("anna", room: "kitchen")
            var bucket = LiveKitRecordingFile.Bucket("calls")
            bucket.region = "eu-central-1"
            let recording = try await api.record(
                room: "kitchen", to: LiveKitRecordingFile("a.ogg", bucket: bucket), separatesAgent: true)
            #expect(
                recording.roomName == "kitchen" && recording.status == .egressStarting
                    && recording.egressID.hasPrefix("EG_"))
            let other = try await api.record(participant: "anna", room: "kitchen", to: LiveKitRecordingFile("b.ogg"))
            #expect(
                try await api.listRecordings(room: "kitchen", activeOnly: true).map(\.egressID) == [
                    recording.egressID, other.egressID,
                ])
            #expect(try await api.stopRecording(recording.egressID).status == .egressEnding)
            #expect(try await api.listRecordings(id: recording.egressID).map(\.status) == [.egressComplete])
            #expect(await code { _ = try await api.stopRecording(recording.egressID) } == .failedPrecondition)
            #expect(await code { _ = try await api.stopRecording("EG_x") } == .notFound)
            #expect(
                await code { _ = try await api.record(room: "attic", to: LiveKitRecordingFile("a.ogg")) } == .notFound)
        }
    }

    @Test func emptyNamesAreRefusedBeforeTheyAreSent() async throws {
        try await withSimulator { simulator, api in
            #expect(await code { _ = try await api.createRoom("") } == .invalidArgument)
            #expect(await code { _ = try await api.listParticipants("") } == .invalidArgument)
            #expect(await code { _ = try await api.participant("", room: "kitchen") } == .invalidArgument)
            #expect(
                await code { _ = try await api.dial(LiveKitCall(trunk: "", number: "1", room: "kitchen")) }
                    == .invalidArgument)
            #expect(
                await code { _ = try await api.record(room: "kitchen", to: LiveKitRecordingFile("")) }
                    == .invalidArgument)
            #expect(simulator.calls.isEmpty)
        }
    }
}
