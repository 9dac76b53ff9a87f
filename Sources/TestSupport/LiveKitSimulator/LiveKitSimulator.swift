package import Cryptography
import LiveKitDispatch
package import LiveKitProtocol
import NIOHTTP1
import NIOPosix
package import SimulatedHTTP
import Telemetry
import WebSocket

/// A LiveKit server on the loopback interface, but for media: its HTTP API checks tokens, grants and requests as livekit-server 1.13.5 does, and
/// knows of telephony and recordings what that server's API knows; dispatches become jobs of the workers that register at `/agent`. Participants
/// join by a call of the test.
package final class LiveKitSimulator: Sendable {
    /// What the next requests meet instead of an answer, one each.
    package enum Fault: Sendable {
        /// 503, as when no node of the server takes the request.
        case unavailable
        /// A web page with this status.
        case page(Int)
        /// Status 200 and the right type, but no message.
        case garbage
        /// The connection is cut.
        case reset
        /// Never answered.
        case silence
    }

    /// A request to the API as it arrived, whatever became of it; those that met a fault are not among them.
    package struct Call: Sendable {
        /// Such as `RoomService/CreateRoom`.
        package var procedure: String
        /// Nil when there was none or it was refused.
        package var token: LiveKitAccessToken?
    }

    package static let apiKey = "devkey"
    package static let secret = Secret("a secret of simulated LiveKit servers")

    /// Its address, and the only key that it knows.
    package let credentials: LiveKitCredentials
    package var port: Int { server.port }
    /// The workers of agents, and their jobs.
    package let agents: AgentServer
    let state: SimulatorState
    private let server: SimulatedServer

    /// Starts to listen on the loopback interface.
    ///
    /// - Parameters:
    ///   - port: 0 for any that is free.
    ///   - sockets: served beside the API, or instead of its own `/agent`.
    ///   - agents: the server's patience with workers; key and secret are those of the API.
    ///   - now: milliseconds since the epoch.
    package static func start(
        port: Int = 0, sockets: [SimulatedSocket] = [], agents configuration: AgentServerConfiguration = AgentServerConfiguration(),
        now: @escaping @Sendable () -> Int64 = Timestamp.now
    ) async throws -> LiveKitSimulator {
        // The address is known when it listens; tokens do not depend on it.
        let key = try LiveKitCredentials(url: "ws://127.0.0.1", apiKey: apiKey, secret: secret)
        let state = SimulatorState(key, now: now)
        var configuration = configuration
        (configuration.apiKey, configuration.secret) = (apiKey, secret.revealed)
        let agents = AgentServer(configuration, on: MultiThreadedEventLoopGroup.singleton.next())
        let all = sockets + [agents.socket]
        let server = try await SimulatedServer.start(
            port: port, makeUpgrader: { SimulatedSocket.upgrader(all) }, route: { state.serve($0, $1) })
        let credentials = try LiveKitCredentials(url: "ws://127.0.0.1:\(server.port)", apiKey: apiKey, secret: secret)
        tie(state, agents)
        return LiveKitSimulator(credentials, server, state, agents)
    }

    private init(_ credentials: LiveKitCredentials, _ server: SimulatedServer, _ state: SimulatorState, _ agents: AgentServer) {
        self.credentials = credentials
        self.server = server
        self.state = state
        self.agents = agents
    }

    /// Dispatches become jobs, and what becomes of jobs is shown with their dispatches.
    private static func tie(_ state: SimulatorState, _ agents: AgentServer) {
        state.onNews { news in
            switch news {
            case .dispatched(let dispatch, let room):
                agents.offer(
                    dispatch: dispatch.id, agentName: dispatch.agentName,
                    room: .init(sid: room.sid, name: room.name, metadata: room.metadata), metadata: dispatch.metadata,
                    attributes: dispatch.attributes)
            case .deleted(let dispatch): agents.end(dispatch: dispatch.id)
            case .left(let identity, let room): agents.left(identity, room: room)
            }
        }
        agents.onJob { job in
            if let job = LiveKitJob(job, now: state.now()) { state.withRooms { $0.setJob(job) } }
        }
    }

    /// Closes the port and every connection. Another one may be started on the port, as a server that restarts: it knows nothing any more.
    package func stop() async { await server.stop() }

    // MARK: What clients of the media protocol do

    /// Joins with a token as a client would, creating the room where there is none.
    @discardableResult
    package func join(_ token: String) throws -> LiveKitParticipantInfo {
        let token = try LiveKitAccessToken.verify(token, credentials: credentials, now: state.now())
        return try state.withRooms { try $0.join(token) }
    }

    package func leave(_ identity: String, room: String) throws {
        try state.withRooms { try $0.leave(identity, room: room) }
    }

    @discardableResult
    package func publish(_ source: LiveKitTrackSource, by identity: String, room: String) throws -> LiveKitTrackInfo {
        try state.withRooms { try $0.publish(source, by: identity, room: room) }
    }

    // MARK: What tests want to know and change

    /// The most recent requests, the oldest first.
    package var calls: [Call] { state.calls }
    /// Packets that were sent into rooms, the oldest first.
    package var packets: [LiveKitSendDataRequest] { state.withRooms { $0.packets } }
    /// Where callers were transferred to, by identity.
    package var transfers: [String: String] { state.withRooms { $0.transfers } }

    package func play(_ faults: [Fault]) { state.play(faults) }

    /// Numbers that do not answer.
    package func setBusy(_ numbers: Set<String>) { state.withRooms { $0.busyNumbers = numbers } }
}

extension AgentServer {
    /// `/agent`, for a server that has more than that.
    nonisolated fileprivate var socket: SimulatedSocket {
        SimulatedSocket(
            Self.path,
            decide: { request in
                guard let refusal = self.refusal(token: request.credential("Bearer")) else { return .accept([:]) }
                return .refuse(status: 401, headers: ["content-type": "text/plain"], body: refusal)
            }, makeHandler: { _, _ in self.makeHandler() })
    }
}

extension LiveKitJob {
    /// As a dispatch shows it; nil for a job that no worker has taken.
    fileprivate init?(_ job: SimulatedJob, now: Int64) {
        guard let worker = job.worker else { return nil }
        self.init()
        id = job.id
        type = .jtRoom
        room.name = job.room
        room.sid = job.roomSID
        metadata = job.metadata
        agentName = job.agentName
        dispatchID = job.dispatchID
        attributes = job.attributes
        state.workerID = worker
        state.participantIdentity = job.participant.identity
        state.error = job.error
        state.updatedAt = now * 1_000_000
        state.status =
            switch job.status {
            case .succeeded: .jsSuccess
            case .failed: .jsFailed
            // The server counts it as running as soon as it asks.
            default: .jsRunning
            }
    }
}
