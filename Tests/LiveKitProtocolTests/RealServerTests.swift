import Cryptography
import LiveKitSimulator
import NIOCore
import SimulatedHTTP
import Testing

@testable import LiveKitProtocol

/// Against a real server, started for each test.
@Suite(.enabled(if: RealLiveKitServer.isAvailable, "\(RealLiveKitServer.absence)"), .timeLimit(.minutes(2)))
struct RealServerTests {
    /// The simulator is worth what it has in common with the server.
    @Test func theSimulatorAnswersAsTheServerDoes() async throws {
        let real = try await RealLiveKitServer.with { try await Self.story(makeAPI($0.credentials)) }
        try await withSimulator { _, api in
            let simulated = try await Self.story(api)
            for (mine, theirs) in zip(simulated, real) { #expect(mine == theirs) }
            #expect(simulated.count == real.count)
        }
    }

    /// What a series of calls led to, a line each, without ids and times.
    private static func story(_ api: LiveKitServerAPI) async throws -> [String] {
        var lines: [String] = []
        func tell(_ what: String, _ body: () async throws -> String) async {
            do { lines.append("\(what): \(try await body())") } catch { lines.append("\(what): \(error)") }
        }
        func describe(_ room: LiveKitRoom) -> String {
            "\(room.name) \(room.metadata) \(room.emptyTimeout) \(room.departureTimeout) \(room.maxParticipants) \(room.numParticipants) "
                + "\(room.sid.prefix(3)) \(room.creationTimeMs / 1000 == room.creationTime)"
        }
        func describe(_ dispatch: LiveKitAgentDispatch) -> String {
            "\(dispatch.id.prefix(3)) \(dispatch.agentName) \(dispatch.room) \(dispatch.metadata) \(dispatch.attributes) \(dispatch.state.jobs.count)"
        }
        let agent = LiveKitRoomAgentDispatch(agentName: "cook", metadata: "soup", attributes: ["a": "b"])
        await tell("list nothing") { "\(try await api.listRooms().count)" }
        await tell("create") {
            describe(
                try await api.createRoom("kitchen", metadata: "m", emptyTimeout: .seconds(70), maximumParticipants: 3))
        }
        await tell("create again") {
            describe(
                try await api.createRoom("kitchen", metadata: "x", departureTimeout: .seconds(80), agents: [agent]))
        }
        await tell("create with agent") { describe(try await api.createRoom("cellar", agents: [agent])) }
        await tell("create too long") { describe(try await api.createRoom(String(repeating: "x", count: 257))) }
        await tell("list") { try await api.listRooms(["kitchen", "attic"]).map(describe).joined(separator: "; ") }
        await tell("metadata") { describe(try await api.updateRoomMetadata("kitchen", metadata: "n")) }
        await tell("metadata of nothing") { describe(try await api.updateRoomMetadata("attic", metadata: "n")) }
        await tell("participants") { "\(try await api.listParticipants("kitchen").count)" }
        await tell("participants of nothing") { "\(try await api.listParticipants("attic").count)" }
        await tell("participant") { "\(try await api.participant("anna", room: "kitchen"))" }
        await tell("remove") { "\(try await api.removeParticipant("anna", room: "kitchen"))" }
        await tell("update") { "\(try await api.updateParticipant("anna", room: "kitchen", name: "A"))" }
        await tell("send") { "\(try await api.sendData([1, 2], room: "kitchen", topic: "t"))" }
        await tell("dispatches") { try await api.listDispatches("kitchen").map(describe).joined(separator: "; ") }
        await tell("dispatches of agents") {
            try await api.listDispatches("cellar").map(describe).joined(separator: "; ")
        }
        await tell("dispatch") { describe(try await api.createDispatch(agent, room: "kitchen")) }
        await tell("dispatch into nothing") { describe(try await api.createDispatch(agent, room: "barn")) }
        await tell("dispatches of what was created") {
            try await api.listDispatches("barn").map(describe).sorted().joined(separator: "; ")
        }
        await tell("delete dispatch") {
            let made = try await api.createDispatch(agent, room: "cellar")
            return describe(try await api.deleteDispatch(made.id, room: "cellar"))
        }
        await tell("delete no dispatch") { describe(try await api.deleteDispatch("AD_x", room: "cellar")) }
        await tell("transfer") { "\(try await api.transfer("anna", room: "kitchen", to: "tel:1"))" }
        await tell("delete") { "\(try await api.deleteRoom("kitchen"))" }
        await tell("delete again") { "\(try await api.deleteRoom("kitchen"))" }
        // The server takes 3 s to find out that nobody serves a room.
        async let packet = message { try await api.sendData([1], room: "kitchen") }
        async let dispatches = message { _ = try await api.listDispatches("kitchen") }
        async let muting = message { _ = try await api.muteTrack("TR_x", of: "anna", room: "cellar") }
        lines += await [packet, dispatches, muting]
        for grant in [LiveKitAccessToken(), LiveKitAccessToken(video: .admin(of: "cellar"))] {
            let call = TwirpCall(service: "RoomService", method: "ListRooms", grant: grant, isIdempotent: true)
            await tell("not allowed") {
                "\(try await api.call(call, LiveKitListRoomsRequest()) as LiveKitListRoomsResponse)"
            }
        }
        let call = TwirpCall(
            service: "RoomService", method: "PaintRoom", grant: LiveKitAccessToken(), isIdempotent: true)
        await tell("no such procedure") {
            "\(try await api.call(call, LiveKitListRoomsRequest()) as LiveKitListRoomsResponse)"
        }
        return lines
    }

    @Test func aWrongSecretIsRefused() async throws {
        try await RealLiveKitServer.with { server in
            for (key, secret) in [
                (server.key, "another secret, as long as it has to be"),
                ("other", "another secret, as long as it has to be"),
            ] {
                let stranger = try LiveKitCredentials(url: server.url, apiKey: key, secret: .init(secret))
                let text = await message { _ = try await makeAPI(stranger).listRooms() }
                #expect(text.contains("unauthenticated") && !text.contains("eyJ"), "\(text)")
            }
        }
    }

    @Test func itsWebhooksAreGenuine() async throws {
        try await Self.withWebhooks { server, events in
            let api = makeAPI(server.credentials)
            _ = try await api.createRoom("kitchen", metadata: "m")
            try await api.deleteRoom("kitchen")
            var told: [String] = []
            for _ in 0..<2 {
                let event = try await events.next()
                told.append("\(event.event) \(event.room.name)")
            }
            #expect(told.sorted() == ["room_finished kitchen", "room_started kitchen"])
        }
    }

    /// LiveKit's own client joins with a token of ours, and everything that is done to it arrives.
    @Test(.enabled(if: VendorSDK.python != nil, "PARLEY_TEST_PYTHON is not set")) func aClientJoinsWithOurToken()
        async throws
    {
        try await Self.withWebhooks { server, events in
            let token = try await ProgramRun.parley(
                [
                    "token", "--room", "kitchen", "--identity", "anna", "--name", "Anna", "--agent", "cook",
                    "--agent-metadata", "soup",
                ],
                server.credentials)
            async let client = VendorSDK.check(
                ["join", server.url, token.output.split(separator: "\n").joined()], server.credentials)
            var event = try await events.next()
            while event.kind != .participantJoined { event = try await events.next() }
            #expect(
                event.participant.identity == "anna" && event.participant.name == "Anna" && event.room.name == "kitchen"
            )
            let api = makeAPI(server.credentials)
            #expect(try await api.listParticipants("kitchen").map(\.state) == [.active])
            #expect(try await api.listDispatches("kitchen").map { "\($0.agentName) \($0.metadata)" } == ["cook soup"])
            #expect(
                try await api.updateParticipant("anna", room: "kitchen", attributes: ["a": "b"]).attributes == [
                    "a": "b"
                ])
            try await api.sendData(Array("hello".utf8), room: "kitchen", topic: "t")
            try await api.removeParticipant("anna", room: "kitchen")
            #expect(try await client == "packet t hello\nleft PARTICIPANT_REMOVED\n")
            while event.kind != .participantLeft { event = try await events.next() }
            #expect(event.participant.disconnectReason == .participantRemoved)
        }
    }

    /// The events that a server sends, each verified and told once.
    private final class Events {
        private var requests: AsyncStream<SimulatedRequest>.Iterator
        private var webhook: LiveKitWebhook

        init(_ requests: AsyncStream<SimulatedRequest>, _ credentials: LiveKitCredentials) {
            self.requests = requests.makeAsyncIterator()
            webhook = LiveKitWebhook(credentials)
        }

        func next() async throws -> LiveKitWebhookEvent {
            while let request = await requests.next(isolation: #isolation) {
                let delivery = try webhook.receive(
                    request.body, authorization: request.header("authorization"), now: wallClock())
                if case .event(let event) = delivery { return event }
            }
            throw CancellationError()
        }
    }

    private static func withWebhooks(_ body: (RealLiveKitServer, Events) async throws -> Void) async throws {
        let received = AsyncStream<SimulatedRequest>.makeStream()
        let receiver = try await SimulatedServer.start(makeUpgrader: { SimulatedSocket.upgrader([]) }) {
            request, exchange in
            received.continuation.yield(request)
            exchange.answer(SimulatedAnswer(200, "", type: "text/plain"))
        }
        do {
            try await RealLiveKitServer.with(webhooks: ["http://127.0.0.1:\(receiver.port)/hook"]) { server in
                try await body(server, Events(received.stream, server.credentials))
            }
        } catch {
            await receiver.stop()
            throw error
        }
        await receiver.stop()
    }

    @Test func theCommandLineWorks() async throws {
        try await RealLiveKitServer.with { server in
            let dispatch = try await ProgramRun.parley(
                ["rooms", "dispatch", "kitchen", "--agent-name", "cook"], server.credentials)
            #expect(dispatch.status == 0, "\(dispatch.output)")
            let list = try await ProgramRun.parley(["rooms", "list"], server.credentials)
            #expect(list.output.hasPrefix("kitchen  0 participants"), "\(list.output)")
            let dial = try await ProgramRun.parley(
                ["rooms", "dial", "kitchen", "--number", "1", "--trunk", "ST_1"], server.credentials)
            #expect(dial.status == 1 && dial.output.contains("sip not connected"), "\(dial.output)")
        }
    }
}
