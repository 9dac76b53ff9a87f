import HTTPClient
import LiveKitDispatch
import LiveKitSimulator
import NIOCore
import NIOPosix
import Telemetry
import Testing
import WireCoding

/// A client of ours at the real server, and a room.
struct RealServer: Sendable {
    let process: LiveKitServerProcess
    let client: AgentDispatchClient
    let metrics: MetricsRegistry
    let log: CapturedLog
    let agentName: String
    let room = "call-1"
    let secret = LiveKitServerProcess.secret

    static func run(
        agentName: String, owner: FakeOwner = FakeOwner(), isWelcome: Bool = true,
        _ body: @escaping @Sendable (RealServer, FakeOwner) async throws -> Void
    ) async throws {
        let process = try LiveKitServerProcess()
        defer { process.kill() }
        try await process.start()
        let (metrics, log) = (MetricsRegistry(), CapturedLog())
        let client = try AgentDispatchClient(
            server: process.url, settings: AgentRegistrationSettings(agentName: agentName),
            handlers: owner.handlers { AgentServerTokens.worker(key: LiveKitServerProcess.key, secret: LiveKitServerProcess.secret) },
            on: MultiThreadedEventLoopGroup.singleton.next(), metrics: metrics, logger: log.logger)
        let server = RealServer(process: process, client: client, metrics: metrics, log: log, agentName: agentName)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            if isWelcome { try await server.registered() }
            try await body(server, owner)
            group.cancelAll()
        }
    }

    /// The server answers a registration before it has entered it, and has no use for the agent until then.
    func registered(times: Int = 1) async throws {
        try await eventually("registered") { process.log.split(separator: "worker registered").count == times + 1 }
    }

    func count(_ outcome: String) -> Double {
        metrics.value("parley_livekit_jobs_total", labels: ["agent": agentName, "outcome": outcome]) ?? 0
    }

    func createRoom() async throws { _ = try await call("livekit.RoomService/CreateRoom", ["name": room]) }

    /// Returns the id.
    func dispatch(metadata: String = "") async throws -> String {
        try await call("CreateDispatch", ["agent_name": agentName, "room": room, "metadata": metadata])["id"].string ?? ""
    }

    func jobStatus() async throws -> String? {
        let dispatches = try await call("ListDispatch", ["room": room])["agent_dispatches"].elements
        return dispatches.first { $0["agent_name"].string == agentName }?["state"]["jobs"][0]["state"]["status"].string
    }

    @discardableResult
    func call(_ method: String, _ members: [String: String]) async throws -> JSONValue {
        var json = JSONWriter()
        json.object { for (name, value) in members { $0.member(name, value) } }
        let service = method.contains("/") ? method : "livekit.AgentDispatchService/" + method
        let token = AgentServerTokens.administrator(of: room, key: LiveKitServerProcess.key, secret: secret)
        let response = try await HTTPClient.shared.send(
            HTTPRequest(
                "POST", "\(process.httpURL)/twirp/\(service)",
                headers: [("Content-Type", "application/json"), ("Authorization", "Bearer \(token)")], body: json.buffer),
            on: MultiThreadedEventLoopGroup.singleton.next())
        try #require(response.head.status == 200, "\(method): \(String(buffer: response.body))")
        return try JSONDocument(response.body).root
    }

    /// Asks again and again; each time the server is asked something too, which takes its time.
    func eventually(_ what: Comment, _ isMet: () async throws -> Bool) async throws {
        let end = ContinuousClock.now + .seconds(30)
        while try await !isMet() {
            try #require(ContinuousClock.now < end, what)
            _ = try await call("livekit.RoomService/ListRooms", [:])
        }
    }
}
