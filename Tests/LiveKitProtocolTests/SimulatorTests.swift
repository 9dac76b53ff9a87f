import HTTPClient
import LiveKitProtocol
import LiveKitSimulator
import NIOCore
import NIOHTTP1
import NIOPosix
import SimulatedHTTP
import Testing
import WebSocket
import WireCoding

@Suite(.timeLimit(.minutes(1))) struct SimulatorTests {
    private func post(_ url: String, _ body: String, type: String = "application/json", token: String? = nil)
        async throws -> (Int, String)
    {
        var headers = [(name: "Content-Type", value: type)]
        if let token { headers.append(("Authorization", token)) }
        let request = HTTPRequest("POST", url, headers: headers, body: ByteBuffer(string: body))
        let response = try await HTTPClient.shared.send(request, on: MultiThreadedEventLoopGroup.singleton.any())
        return (response.head.status, String(buffer: response.body))
    }

    @Test func jsonIsServedAsWell() async throws {
        try await withSimulator { simulator, _ in
            var grant = LiveKitVideoGrant()
            grant.roomCreate = true
            let token =
                "Bearer "
                + (try LiveKitAccessToken(video: grant).signed(
                    by: simulator.credentials, lifetime: .seconds(60), now: wallClock()))
            let url = simulator.credentials.url.http + "/twirp/livekit.RoomService/CreateRoom"
            let (status, body) = try await post(
                url, #"{"name":"kitchen","empty_timeout":5,"nonsense":1}"#, token: token)
            let room = try JSONDocument(body).root
            #expect(status == 200 && room["name"].equals("kitchen") && room["emptyTimeout"].int == 5)
            #expect(try await post(url, "{", token: token).1.contains("malformed"))
            #expect(try await post(url, "{}", type: "text/plain", token: token).0 == 404)
            #expect(try await post(url, "{}").0 == 401)
            #expect(try await post(url, "{}", token: "Basic x").1.hasPrefix("invalid authorization header"))
            // Field 99, which no request has.
            let (_, unknown) = try await post(url, "\u{98}\u{06}\u{01}", type: "application/protobuf", token: token)
            #expect(unknown.contains("malformed") || unknown.contains("invalid_argument"))
        }
    }

    @Test func aWebhookThatItSendsIsGenuine() async throws {
        let received = AsyncStream<SimulatedRequest>.makeStream()
        let receiver = try await SimulatedServer.start(makeUpgrader: { SimulatedSocket.upgrader([]) }) {
            request, exchange in
            received.continuation.yield(request)
            exchange.answer(SimulatedAnswer(204, "", type: "text/plain"))
        }
        try await withSimulator { simulator, _ in
            try simulator.join("anna", room: "kitchen")
            let event = simulator.event(.participantJoined, room: "kitchen", participant: "anna")
            #expect(try await simulator.send(event, to: "http://127.0.0.1:\(receiver.port)/hook") == 204)
            var requests = received.stream.makeAsyncIterator()
            let request = try #require(await requests.next())
            #expect(request.header("content-type") == "application/webhook+json")
            var webhook = LiveKitWebhook(simulator.credentials)
            let delivery = try webhook.receive(
                request.body, authorization: request.header("authorization"), now: wallClock())
            #expect(delivery == .event(event))
        }
        await receiver.stop()
    }

    @Test func aWebSocketIsServedBesideTheAPI() async throws {
        let opened = AsyncStream<String>.makeStream()
        let media = SimulatedSocket(
            "/rtc",
            decide: {
                $0.credential("Bearer") == nil ? .refuse(status: 401, headers: [:], body: "no token") : .accept([:])
            },
            makeHandler: { _, request in
                opened.continuation.yield(request.first("protocol") ?? "")
                return Listener()
            })
        let simulator = try await LiveKitSimulator.start(sockets: [media])
        let url = simulator.credentials.url.webSocket
        func connect(_ path: String, token: String?) async throws -> String {
            let ended = AsyncStream<String>.makeStream()
            let request = WebSocketRequest(
                try WebSocketURL(url + path), headers: token.map { [("Authorization", "Bearer \($0)")] } ?? [])
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            loop.execute {
                _ = WebSocketClient().connect(request, on: loop, handler: Listener { ended.continuation.yield($0) })
            }
            var results = ended.stream.makeAsyncIterator()
            return await results.next() ?? ""
        }
        #expect(try await connect("/rtc?protocol=1", token: "t") == "opened")
        var openings = opened.stream.makeAsyncIterator()
        #expect(await openings.next() == "1")
        #expect(try await connect("/rtc", token: nil) == "closed")
        #expect(try await connect("/elsewhere", token: "t") == "closed")
        await simulator.stop()
    }

    private final class Listener: WebSocketHandler {
        private let told: (@Sendable (String) -> Void)?

        init(_ told: (@Sendable (String) -> Void)? = nil) { self.told = told }

        func opened(_ socket: WebSocket) { told?("opened") }
        func closed(_ socket: WebSocket, _ closure: WebSocketClosure) { told?("closed") }
    }
}
