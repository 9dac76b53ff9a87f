import Audio
import CallerSimulator
import ClusterSupport
import Cryptography
import Foundation
import HTTPClient
import LiveKitProtocol
import LiveKitSimulator
import NIOCore
import NIOPosix
import ProviderSimulator
import Telemetry
import WireCoding

/// A cluster, a LiveKit server, simulated providers and callers in rooms, to be measured.
final class RoomsBench: Sendable {
    static let workers = ["media-worker-1", "media-worker-2"]

    let options: RoomsOptions
    let cluster: LocalCluster
    let callers: RoomCallers
    /// Resident bytes of the first worker before its first room.
    let idleMemory: Int
    private let server: RealLiveKitServer
    private let simulator: ProviderSimulator
    private let run = UUID().uuidString.prefix(6).lowercased()

    /// - Parameter workers: how many of them
    static func start(_ options: RoomsOptions, _ load: BenchLoad, workers: Int = 1, frame: Int = 10) async throws -> RoomsBench {
        try Bench.stayOn(core: options.otherCore)
        guard RealLiveKitServer.isAvailable else {
            throw CommandError("livekit-server is not on the PATH; the rooms are measured against a real one")
        }
        var running: [@Sendable () async -> Void] = []
        do {
            let server = try await RealLiveKitServer.start()
            running.append { await server.stop() }
            let simulator = try await ProviderSimulator.start(try behaviour(load))
            running.append { await simulator.stop() }
            let cluster = try await LocalCluster.start(clusterOptions(options, server, simulator, workers: workers))
            running.append { await cluster.stop(logs: options.logs) }
            try speak(load, in: cluster.folder)
            let callers = try await RoomCallers.start(
                python: options.python, script: options.callers, url: server.url, frame: frame)
            return RoomsBench(options, cluster, callers, server, simulator)
        } catch {
            for stop in running.reversed() { await stop() }
            throw error
        }
    }

    private init(
        _ options: RoomsOptions, _ cluster: LocalCluster, _ callers: RoomCallers, _ server: RealLiveKitServer,
        _ simulator: ProviderSimulator
    ) {
        self.options = options
        self.cluster = cluster
        self.callers = callers
        self.server = server
        self.simulator = simulator
        idleMemory = RoomsFootprint(cluster, Self.workers[0])?.residentBytes ?? 0
    }

    func stop() async {
        await callers.stop()
        await cluster.stop(logs: options.logs)
        await simulator.stop()
        await server.stop()
    }

    // MARK: Rooms

    /// A name that no earlier room had.
    func room(_ caller: Int) -> String { "bench-\(run)-\(caller)" }

    /// The caller joins its room; nil when it is there, else what went wrong.
    func join(_ caller: Int) async throws -> String? {
        let token = try LiveKitAccessToken(identity: "caller", video: .join(room(caller)))
            .signed(by: server.credentials, lifetime: .seconds(600), now: Timestamp.now())
        callers.join(caller, token: token)
        if await callers.wait(for: .joined, of: caller, after: 0, seconds: 20) != nil { return nil }
        return callers.events(of: caller).last { $0.kind == .failed }?.detail ?? "the caller could not join"
    }

    /// Asks the agent into the caller's room. Returns the moment of the request.
    func ask(_ caller: Int) async throws -> Double {
        var json = JSONWriter()
        json.object { json in
            json.member("backend", "livekit")
            json.member("agent", "bench")
            json.member("room", room(caller))
        }
        let headers = [("authorization", "Bearer \(LocalCluster.apiKey)"), ("content-type", "application/json")]
        let moment = RoomEvent.now
        let request = HTTPRequest("POST", cluster.url() + "/v1/sessions", headers: headers, body: ByteBuffer(string: json.text))
        let answer = try await HTTPClient.shared.send(request, on: MultiThreadedEventLoopGroup.singleton.any())
        guard answer.head.status == 201 else {
            throw CommandError("POST /v1/sessions was answered with \(answer.head.status): \(String(buffer: answer.body).prefix(300))")
        }
        return moment
    }

    func file(_ text: String) -> String { Self.file(text, in: cluster.folder) }

    // MARK: Making

    private static func behaviour(_ load: BenchLoad) throws -> SimulatorConfiguration {
        var behaviour = SimulatorConfiguration()
        behaviour.recognition.script = try load.utterances.map { text in
            ScriptedUtterance(text, speechMilliseconds: Int(try CallerSpeech(text, voice: "rms").duration.milliseconds))
        }
        behaviour.language.answers = load.answers
        return behaviour
    }

    private static func clusterOptions(
        _ options: RoomsOptions, _ server: RealLiveKitServer, _ simulator: ProviderSimulator, workers: Int
    ) -> LocalCluster.Options {
        var cluster = LocalCluster.Options()
        cluster.workers = workers
        cluster.agents["bench.yaml"] = BenchLoad.agent
        cluster.environment = simulator.environment.merging([
            "PARLEY_LOG_LEVEL": options.logLevel, "PARLEY_BACKENDS": "pipecat,rtvi,livekit", "LIVEKIT_URL": server.url,
            "LIVEKIT_API_KEY": server.key, "LIVEKIT_API_SECRET": server.secret.revealed,
        ]) { $1 }
        // An event loop a core, as in a container of one core: NIO asks the container, and not which cores the process may use.
        cluster.serviceEnvironment["media-worker"] = ["PARLEY_WORKER_CAPACITY": "10000", "NIO_SINGLETON_GROUP_LOOP_COUNT": "1"]
        cluster.cores = ["": options.otherCore, "media-worker": options.workerCore]
        return cluster
    }

    /// Writes the callers' sentences, from the first audible sample to the last one.
    private static func speak(_ load: BenchLoad, in folder: URL) throws {
        for text in load.utterances {
            let speech = try CallerSpeech(text, voice: "rms")
            try WAVFile(samples: speech.samples).write(to: file(text, in: folder))
        }
    }

    private static func file(_ text: String, in folder: URL) -> String {
        folder.appending(path: text.filter(\.isLetter) + ".wav").path
    }
}
