import Audio
import CallerSimulator
import ClusterSupport
import Cryptography
import Foundation
import LiveKitProtocol
import LiveKitSimulator
import NIOPosix
import ProviderSimulator
import Testing

/// A cluster with all backends, and a LiveKit server whose rooms its agents join; without such a server there is no `livekit`. Started by the first test that wants it; it ends with the process.
struct RoomBed: Sendable {
    /// A Python with `Tests/python/requirements.txt`; `deploy/local test` makes one.
    static let python = ProcessInfo.processInfo.environment["PARLEY_TEST_PYTHON"]
    static var isAvailable: Bool { python != nil && RealLiveKitServer.isReachable }
    /// For tests that are skipped without.
    static var absence: Comment {
        python == nil
            ? "PARLEY_TEST_PYTHON is not set; NO CALL IN A LIVEKIT ROOM WAS TESTED"
            : "livekit-server is not on the PATH and LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET name no server; NO CALL IN A LIVEKIT ROOM WAS TESTED"
    }

    /// What is told by the agent `host` when it is asked for a story.
    static let story =
        "Once upon a time there was a very old telephone that rang every single morning although nobody in the whole wide "
        + "village had ever found out who was calling and what the caller wanted to say after all those quiet years"

    private let server: RealLiveKitServer?
    let simulator: ProviderSimulator
    let cluster: LocalCluster

    // Tests share it, so it belongs to none of their tasks.
    private static let starting = Task { try await RoomBed() }

    static func shared() async throws -> RoomBed { try await starting.value }

    private init() async throws {
        server = RealLiveKitServer.isReachable ? try await RealLiveKitServer.namedOrStarted() : nil
        simulator = try await Testbed.startSimulator(Self.configure)
        cluster = try await LocalCluster.start(Self.options(simulator, server?.credentials))
        for (index, line) in Testbed.lines.enumerated() {
            let samples = try CallerSpeech(line, voice: "rms").samples
            try WAVFile(samples: samples).write(to: path("line\(index)"))
            try WAVFile(samples: samples + [Int16](repeating: 0, count: Self.pause)).write(to: path("line\(index)-pause"))
        }
    }

    static func configure(_ configuration: inout SimulatorConfiguration) {
        configuration.tools.latency = .fixed(3_000)
        configuration.language.rules += [
            LanguageRule("stock", answer: "I look that up in the great book of the warehouse. ", calls: [.init("stock_level", #"{"item": "phones"}"#)], afterCalls: "There are nine."),
            LanguageRule("bye", calls: [.init("end_call", "{}")], afterCalls: "Goodbye."),
            LanguageRule("person", answer: "I put you through. ", calls: [.init("transfer", #"{"target": "reception"}"#)], afterCalls: "Nobody answers there."),
            LanguageRule("12", answer: "You pressed twelve."),
        ]
    }

    /// - Parameter livekit: a server, and what LiveKit may dispatch as `PARLEY_LIVEKIT_AGENTS` has it
    static func options(_ simulator: ProviderSimulator, _ livekit: LiveKitCredentials?, dispatching agents: String = "") throws -> LocalCluster.Options {
        var options = try Testbed.options(simulator)
        // Long enough for a caller on a busy machine to be back.
        options.environment["PARLEY_RECONNECT_WINDOW"] = "15s"
        options.agents["host.yaml"] = agent("host", greeting: "Hello, this is the host.", more: ["tools:", "  - name: stock_level", "    description: How many there are."])
        options.agents["switchboard.yaml"] = agent(
            "switchboard", greeting: "Hello, this is the switchboard.",
            more: ["tools: [end_call]", "transfer_to:", "  reception: {to: tel:+4930123456, when: the caller wants a person}"])
        options.agents["silent.yaml"] = agent("silent")
        options.agents["idler.yaml"] = agent("idler", greeting: "Hello, this is the idler.", idleSeconds: 2)
        options.agents["misled.yaml"] = agent("misled", more: ["backend:", "  use: livekit", "  options:", "    folow: active-speaker"])
        if let livekit {
            options.environment.merge([
                "PARLEY_BACKENDS": "pipecat,rtvi,livekit", "LIVEKIT_URL": livekit.url.webSocket, "LIVEKIT_API_KEY": livekit.apiKey,
                "LIVEKIT_API_SECRET": livekit.secret.revealed, "PARLEY_LIVEKIT_AGENTS": agents,
            ]) { $1 }
        }
        options.serviceEnvironment["media-worker", default: [:]]["PARLEY_TOOL_STOCK_LEVEL_URL"] = simulator.toolURL("stock_level")
        return options
    }

    private static func agent(_ name: String, greeting: String? = nil, idleSeconds: Int = 600, more: [String] = []) -> String {
        let lines = [
            "agent: \(name)", "pipeline:", "  stt: deepgram/nova-3", "  llm: [openai/gpt-4o-mini]", "  tts: cartesia/sonic-3",
            "limits:", "  idle_seconds: \(idleSeconds)",
        ]
        return (lines + (greeting.map { ["greeting:", "  say: \($0)"] } ?? []) + more).joined(separator: "\n") + "\n"
    }

    var livekit: RealLiveKitServer { get throws { try #require(server) } }

    // MARK: Recordings

    /// A recording of `Testbed.lines`, which the simulated recogniser understands in this order.
    func recording(_ index: Int) -> String { path("line\(index)") }

    /// The same and a pause: for the simulated recogniser lines that follow each other at once are one.
    func pausedRecording(_ index: Int) -> String { path("line\(index)-pause") }
    /// Samples at 16 kHz.
    private static let pause = 19_200

    /// A recording of any line.
    func recording(of speech: CallerSpeech) throws -> String {
        let file = path("speech-\(speech.text.filter(\.isLetter))")
        if !FileManager.default.fileExists(atPath: file) { try WAVFile(samples: speech.samples).write(to: file) }
        return file
    }

    private func path(_ name: String) -> String { cluster.folder.appending(path: "\(name).wav").path }

    // MARK: Calls

    /// A room that nobody has used before.
    static func room() -> String { "test-\(UUID().uuidString.prefix(8).lowercased())" }

    func callers(_ program: RoomCallers.Program = .python, at server: RealLiveKitServer? = nil) throws -> RoomCallers {
        try RoomCallers(try server ?? livekit, program)
    }

    var api: LiveKitServerAPI { get throws { Self.api(try livekit.credentials) } }

    static func api(_ server: LiveKitCredentials) -> LiveKitServerAPI {
        LiveKitServerAPI(server, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
    }

    /// A session in a room; returns its id.
    func session(_ agent: String, _ room: String, in cluster: LocalCluster? = nil) async throws -> String {
        try await API.start(at: (cluster ?? self.cluster).url(), agent: agent, room: room, key: LocalCluster.apiKey)
    }

    /// A cluster of its own for one test, in rooms of the same server, or of another one.
    func withCluster(
        workers: Int = 2, dispatchers: Int = 1, dispatching agents: String = "", at other: RealLiveKitServer? = nil,
        _ body: (LocalCluster) async throws -> Void
    ) async throws {
        var options = try Self.options(simulator, (other ?? server)?.credentials, dispatching: agents)
        options.workers = workers
        options.dispatchers = dispatchers
        let cluster = try await LocalCluster.start(options)
        do { try await body(cluster) } catch {
            await cluster.stop()
            throw error
        }
        await cluster.stop()
    }

    /// Identities of the agents that the server has in a room.
    func agents(in room: String) async throws -> [String] {
        do { return try await api.listParticipants(room).filter { $0.kind == .agent }.map(\.identity) } catch {
            // A room without anybody is gone after a while.
            if try await api.listRooms([room]).isEmpty { return [] }
            throw error
        }
    }
}
