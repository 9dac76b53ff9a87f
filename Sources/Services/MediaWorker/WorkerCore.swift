package import Conversation
package import Logging
import NIOCore
import RelayLink
import SessionLog
import Synchronization
package import Telemetry

/// What all sessions of one worker share: the store, the providers, the agents it has read, its capacity.
package final class WorkerCore: Sendable {
    package struct Load: Sendable, Hashable {
        package var sessions = 0
        package var weight = 0.0
        /// Reservations that have been used up since the last report to Redis.
        package var usedReservations: [String] = []
    }

    /// Sums of weights such as 0.05 are not exact.
    private static let rounding = 1e-6

    let store: any SessionOwning
    let environment: SessionEnvironment
    let backends: WorkerBackends
    let logger: Logger
    let name: String
    package let capacity: Double
    let checkTicket: @Sendable (_ ticket: String, _ session: String, _ fence: UInt64) -> String?
    let sessionsGauge: Gauge
    let sessionsTotal: Counter
    let reconnectWindow: Duration
    private let load = Mutex(Load())
    private let draining = Mutex(false)
    let sessions = Mutex<[String: Owned]>([:])
    let rooms = Mutex(Rooms())
    let takeovers = Mutex(TakeoverQueue())
    private let agents = Mutex<[String: AgentDefinition]>([:])
    private let loadChanged: @Sendable () -> Void

    /// `checkTicket` returns what is wrong with a ticket, or nil.
    package init(
        name: String, capacity: Double, store: any SessionOwning, environment: SessionEnvironment, backends: WorkerBackends, registry: MetricsRegistry,
        logger: Logger, reconnectWindow: Duration = .seconds(30),
        checkTicket: @escaping @Sendable (String, String, UInt64) -> String?, loadChanged: @escaping @Sendable () -> Void = {}
    ) {
        self.name = name
        self.capacity = capacity
        self.store = store
        self.environment = environment
        self.backends = backends
        self.logger = logger
        self.reconnectWindow = reconnectWindow
        self.checkTicket = checkTicket
        self.loadChanged = loadChanged
        self.sessionsGauge = registry.gauge("parley_worker_sessions", help: "Sessions that this worker carries.")
        self.sessionsTotal = registry.counter("parley_worker_sessions_total", help: "Sessions that this worker has taken.")
    }

    package var isDraining: Bool { draining.withLock { $0 } }
    /// No new sessions from now on; the live ones are handed over, each between two turns.
    package func drain() {
        draining.withLock { $0 = true }
        loadChanged()
        for owned in sessions.withLock({ Array($0.values) }) { Self.handOver(owned.session) }
    }

    static func handOver(_ session: VoiceSession) {
        session.eventLoop.execute { session.assumeIsolated { $0.handOver() } }
    }

    /// The load now; `usedReservations` are handed out once.
    package func takeLoad() -> Load {
        load.withLock { load in
            defer { load.usedReservations = [] }
            return load
        }
    }
    package var liveSessions: Int { load.withLock { $0.sessions } }

    /// Counts a session that is about to be claimed; false when there is no room for it. One that is here already, on another link, has its room.
    func sessionStarted(_ attach: RelayAttach) -> Bool {
        let isHere = sessions.withLock { $0[attach.session] != nil }
        let count: Int? = load.withLock { load in
            guard isHere || load.weight + attach.weight <= capacity + Self.rounding else { return nil }
            load.sessions += 1
            load.weight += attach.weight
            load.usedReservations.append(attach.reservation)
            return load.sessions
        }
        guard let count else { return false }
        sessionsTotal.increment()
        sessionsGauge.set(Double(count))
        loadChanged()
        return true
    }

    func sessionEnded(weight: Double) {
        let count = load.withLock { load in
            load.sessions -= 1
            load.weight -= weight
            return load.sessions
        }
        sessionsGauge.set(Double(count))
        loadChanged()
    }

    /// The agent of a session, read once per version.
    func agent(hash: String, tenant: String) async throws -> AgentDefinition {
        let key = "\(tenant)/\(hash)"
        if let known = agents.withLock({ $0[key] }) { return known }
        let text = try await store.agentDefinition(hash: hash, tenant: tenant)
        let agent = try AgentFile.read(text, source: "agent \(hash.prefix(12))")
        agents.withLock { agents in
            // Versions are immutable, so the cache needs no invalidation, only a bound.
            if agents.count >= 1_000 { agents.removeAll() }
            agents[key] = agent
        }
        return agent
    }
}
