import BackendKit
import Cryptography
import Foundation
import LiveKitDispatch
import LiveKitMedia
import LiveKitProtocol
import Logging
import NIOCore
import NIOPosix
import Synchronization
import Telemetry

/// The admission half: sessions that are asked for by the API or dispatched by LiveKit, and LiveKit's webhooks.
final class LiveKitAdmission: BackendAdmission {
    struct State {
        var webhook: LiveKitWebhook
        var health: (at: ContinuousClock.Instant, value: BackendHealth)?
        /// The registrations at LiveKit, one for each agent that it may dispatch.
        var registrations: [AgentDispatchClient] = []
        /// The room that workers have, as of a moment ago; nil: no more jobs are taken.
        var capacity: DispatchCapacity? = DispatchCapacity(free: 0, total: 0)
    }

    /// How long an answer of the server about its health holds.
    private static let healthLife = Duration.seconds(5)
    private static let maximumName = 256

    let credentials: LiveKitCredentials
    let settings: BackendSettings
    let logger: Logger
    let agents: DispatchedAgents
    let metrics = MetricsRegistry()
    private let api: LiveKitServerAPI
    let state: Mutex<State>

    init(credentials: LiveKitCredentials, settings: BackendSettings, logger: Logger) throws {
        self.agents = try DispatchedAgents(settings.list("agents"), variable: "PARLEY_LIVEKIT_AGENTS")
        self.credentials = credentials
        self.settings = settings
        self.logger = logger
        self.api = LiveKitServerAPI(credentials, eventLoop: MultiThreadedEventLoopGroup.singleton.next())
        self.state = Mutex(State(webhook: LiveKitWebhook(credentials)))
    }

    var privacy: BackendPrivacy {
        BackendPrivacy(redaction: settings.text("redaction"), retentionDays: settings.integer("retention_days"))
    }

    // MARK: Sessions

    func prepare(_ request: SessionRequest) async throws -> RoomGrant {
        var options = request.options
        let room = options.removeValue(forKey: "room") ?? ""
        let identity = options.removeValue(forKey: "identity")
        let participant = options.removeValue(forKey: "participant")
        if let unknown = options.keys.sorted().first {
            throw BackendRefusal(.badRequest, "'\(unknown)' is not known; the backend livekit takes 'room', 'identity' and 'participant'")
        }
        guard !room.isEmpty, room.utf8.count <= Self.maximumName else {
            throw BackendRefusal(.badRequest, "name the room: {\"backend\": \"livekit\", \"agent\": \"…\", \"room\": \"…\"}")
        }
        let record = RoomGrantRecord(
            room: room, identity: try identity ?? "agent-\(RandomBytes.token(bytes: 9))", name: request.agent, participant: participant)
        return RoomGrant(handshake: record.handshake, description: "room \(room)")
    }

    /// A telephone would stay connected to a room where nobody is. Where somebody else is, be it an agent, also one of our identity, the caller stays
    /// with them. The server removes a dead agent after 20 s, sooner than sessions are given up.
    func abandoned(_ handshake: [UInt8]) async {
        guard let record = RoomGrantRecord(handshake: handshake) else { return }
        do {
            let people = try await api.listParticipants(record.room).filter { $0.kind != .egress }
            guard people.count == 1, let phone = people.first, phone.kind == .sip, phone.identity == record.participant ?? phone.identity else { return }
            try await api.removeParticipant(phone.identity, room: record.room)
            logger.notice("hung up on a caller whom no agent has", metadata: ["room": "\(record.room)", "participant": "\(phone.identity)"])
        } catch let error as LiveKitProtocol.LiveKitError where error.code == .notFound {
            // Who has hung up is fine.
        } catch {
            logger.warning("a telephone caller may stay connected to a room without an agent", metadata: ["room": "\(record.room)", "error": "\(error)"])
        }
    }

    // MARK: Webhooks

    func receive(_ request: BackendRequest) async -> BackendResponse? {
        guard request.path == "/webhook" else { return nil }
        guard request.method == "POST" else { return Self.answer(405, "send webhooks with POST") }
        let now = Int64(Date().timeIntervalSince1970 * 1_000)
        do {
            let delivery = try state.withLock {
                try $0.webhook.receive(request.body, authorization: request.headers["authorization"], now: now)
            }
            if case .event(let event) = delivery {
                logger.info("webhook", metadata: ["event": "\(event.event)", "room": "\(event.room.name)", "id": "\(event.id)"])
            }
            return Self.answer(200, "ok")
        } catch let error as LiveKitProtocol.LiveKitError {
            logger.warning("webhook refused", metadata: ["from": "\(request.address)", "reason": "\(error)"])
            return Self.answer(error.code == .malformedEvent ? 400 : 401, "\(error)")
        } catch {
            return Self.answer(400, "the webhook cannot be read")
        }
    }

    private static func answer(_ status: Int, _ text: String) -> BackendResponse {
        BackendResponse(status: status, contentType: "text/plain", body: ByteBuffer(string: text + "\n"))
    }

    // MARK: Metrics

    var figures: [BackendFigure] {
        agents.agents.flatMap { agent in
            AgentDispatchClient.outcomes.map { outcome in
                BackendFigure(
                    "livekit_jobs", "Jobs that LiveKit has offered, by what became of them.",
                    Int(metrics.value(AgentDispatchClient.jobsMetric, labels: ["agent": agent.name, "outcome": outcome]) ?? 0),
                    labels: ["agent": agent.name, "outcome": outcome])
            } + [
                BackendFigure(
                    "livekit_reconnects", "Registrations at LiveKit after a connection was lost.",
                    Int(metrics.value(AgentDispatchClient.reconnectsMetric, labels: ["agent": agent.name]) ?? 0), labels: ["agent": agent.name]),
                BackendFigure(
                    "livekit_registered", "Whether LiveKit knows this dispatcher as a worker for the agent.",
                    Int(metrics.value(AgentDispatchClient.registeredMetric, labels: ["agent": agent.name]) ?? 0), labels: ["agent": agent.name]),
            ]
        }
    }

    // MARK: Health

    func health() async -> BackendHealth {
        if let known = state.withLock({ $0.health }), ContinuousClock.now - known.at < Self.healthLife { return known.value }
        let value: BackendHealth
        do {
            _ = try await api.listRooms(["parley-health"])
            value = .ready
        } catch {
            value = .unavailable("\(error)")
        }
        state.withLock { $0.health = (.now, value) }
        return value
    }
}
