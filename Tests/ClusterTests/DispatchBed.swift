import ClusterSupport
import Foundation
import HTTPClient
import LiveKitProtocol
import LiveKitSimulator
import NIOCore
import ProviderSimulator
import SessionLog
import SimulatedHTTP
import Synchronization
import Testing
import WebSocket

/// A cluster whose dispatchers take LiveKit's jobs, at a simulated server: agents are asked for and sessions begin, and wait for rooms that never open.
final class DispatchBed: Sendable {
    private static let library =
        (ProcessInfo.processInfo.environment["PARLEY_MODELS_DIR"] ?? ".local/models") + "/liblivekit_ffi.so"
    static var isAvailable: Bool { FileManager.default.fileExists(atPath: library) }
    /// For tests that are skipped without.
    static let absence: Comment = "LiveKit's client library is not there, deploy/fetch-models installs it; NO DISPATCH OF AN AGENT WAS TESTED"

    let cluster: LocalCluster
    private let current: Mutex<LiveKitSimulator>
    var server: LiveKitSimulator { current.withLock { $0 } }

    private init(_ cluster: LocalCluster, _ server: LiveKitSimulator) {
        self.cluster = cluster
        current = Mutex(server)
    }

    /// - Parameters:
    ///   - agents: what may be dispatched, as `PARLEY_LIVEKIT_AGENTS` has it
    ///   - capacity: of each worker
    static func run(
        _ agents: String = "sales=default/host", workers: Int = 1, dispatchers: Int = 1, capacity: Int = 100,
        _ body: (DispatchBed) async throws -> Void
    ) async throws {
        let (providers, server) = (try await Testbed.startSimulator(RoomBed.configure), try await startServer())
        var options = try RoomBed.options(providers, server.credentials, dispatching: agents)
        (options.workers, options.dispatchers) = (workers, dispatchers)
        options.serviceEnvironment["media-worker", default: [:]]["PARLEY_WORKER_CAPACITY"] = "\(capacity)"
        let bed = DispatchBed(try await LocalCluster.start(options), server)
        var failure: (any Error)?
        do {
            try await bed.registered(dispatchers)
            try await body(bed)
        } catch { failure = error }
        // A worker would look for somebody who goes on with its sessions.
        for name in bed.cluster.serviceNames { bed.cluster.signal(name, SIGKILL) }
        await bed.cluster.stop()
        await bed.server.stop()
        await providers.stop()
        if let failure { throw failure }
    }

    /// Who wants to join a room is let in and told nothing, and so tries for a minute and more.
    private static func startServer(port: Int = 0) async throws -> LiveKitSimulator {
        let media = ["/rtc", "/rtc/v1"].map { path in SimulatedSocket(path, makeHandler: { _, _ in Silence() }) }
        // More patient than LiveKit, for busy machines; LiveKitDispatchTests hold answers to its own figure.
        var agents = AgentServerConfiguration()
        agents.requestWithin = .seconds(9)
        return try await LiveKitSimulator.start(port: port, sockets: media, agents: agents)
    }

    private final class Silence: WebSocketHandler {
        func closed(_ socket: WebSocket, _ closure: WebSocketClosure) {}
    }

    // MARK: The server

    /// The server goes away, and comes back without knowing anything.
    func restartServer() async throws {
        await server.stop()
        let next = try await Self.startServer(port: server.port)
        current.withLock { $0 = next }
    }

    private var api: LiveKitServerAPI { RoomBed.api(server.credentials) }

    /// Waits for something at the server.
    @discardableResult
    func wait(
        _ what: Comment, within limit: Duration = .seconds(60), _ isMet: @escaping @Sendable (AgentServerSnapshot) -> Bool
    ) async throws -> AgentServerSnapshot {
        if let snapshot = await server.agents.wait(within: limit, until: isMet) { return snapshot }
        let snapshot = await server.agents.snapshot
        return try #require(nil, "\(what): \(snapshot)\n\(cluster.log("dispatcher-1").suffix(3_000))")
    }

    /// So many registrations are there and have told their load.
    func registered(_ count: Int) async throws {
        try await wait("\(count) registrations") { $0.workers.count >= count && $0.workers.allSatisfy { $0.updates > 0 } }
    }

    /// Asks for an agent in a room of its own; returns the dispatch.
    func dispatch(_ agent: String = "sales", metadata: String = "", room: String = RoomBed.room()) async throws -> LiveKitAgentDispatch {
        try await api.createDispatch(.init(agentName: agent, metadata: metadata), room: room)
    }

    func delete(_ dispatch: LiveKitAgentDispatch) async throws { _ = try await api.deleteDispatch(dispatch.id, room: dispatch.room) }

    /// The job of a dispatch, when it has come so far.
    @discardableResult
    func job(_ dispatch: LiveKitAgentDispatch, _ status: SimulatedJob.Status = .running) async throws -> SimulatedJob {
        let snapshot = try await wait("a job becomes \(status)") { $0.jobs.contains { $0.dispatchID == dispatch.id && $0.status == status } }
        return try #require(snapshot.jobs.first { $0.dispatchID == dispatch.id })
    }

    func expectNoViolations() async {
        let violations = await server.agents.snapshot.violations
        #expect(violations.isEmpty, "\(violations)")
    }

    // MARK: Sessions

    /// All sessions by the identity under which their agents are in their rooms.
    func sessions() async throws -> [String: String] {
        var found: [String: String] = [:]
        for session in try await SessionLogs.sessions(in: cluster) {
            let opened = try await SessionLogs.events(of: session, in: cluster).opened
            if let identity = opened?.grant["identity"] { found[identity] = session }
        }
        return found
    }

    /// The session of a job.
    func session(of job: SimulatedJob) async throws -> String {
        let identity = "agent-\(job.id)"
        try await eventually("the session of \(job.id)") { (try? await sessions()[identity]) != nil }
        return try #require(try await sessions()[identity])
    }

    func end(_ session: String) async throws {
        let answer = try await API.send("DELETE", cluster.url() + "/v1/sessions/\(session)", key: LocalCluster.apiKey)
        try #require(answer.status == 202, "\(answer)")
    }

    /// What a dispatcher has counted of jobs.
    func count(_ outcome: String, at dispatcher: String = "dispatcher-1") async -> Int {
        let metrics = await LocalCluster.get(cluster.opsURL(dispatcher) + "/metrics")?.body ?? ""
        let line = metrics.split(separator: "\n").first { $0.hasPrefix("parley_livekit_jobs{") && $0.contains("outcome=\"\(outcome)\"") }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Double($0) }.map { Int($0) } ?? 0
    }
}

extension [Event] {
    var opened: Opened? {
        for case .opened(let opened) in compactMap(\.body) { return opened }
        return nil
    }
}

extension Opened {
    /// Where it takes place: `room` and `identity`.
    var grant: [String: String] { (try? JSONDecoder().decode([String: String].self, from: room)) ?? [:] }
}
