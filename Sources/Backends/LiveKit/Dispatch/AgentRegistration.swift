import Cryptography
import Logging
import Resilience
import SwiftProtobuf

/// One worker registration at a LiveKit server: what is said on its connection and what becomes of the jobs that come by it. A value: it is told of
/// the time and does no I/O.
///
/// A job is asked about, perhaps held until there is room, accepted, assigned, started, running, ended. What is not assigned yet is forgotten with the
/// connection, as the server does, which asks somebody else; what is assigned is ours and outlives any connection.
struct AgentRegistration: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum Event: Sendable {
        /// The connection is there.
        case opened
        case received(AgentWireServerMessage)
        /// What came is no message of the protocol.
        case undecodable(String)
        /// The connection is over, or could not be made.
        case closed(String)
        case tick
        case capacity(DispatchCapacity)
        /// The owner's answer to `ask`.
        case answered(String, JobAnswer)
        /// What became of `begin`.
        case started(String)
        case startFailed(String, AgentStartError)
        /// The session of a job is over; with an error, if that was why.
        case ended(String, error: String?)
        /// No more jobs.
        case drain
        /// No more connections.
        case stop
    }

    enum Action: Sendable, Equatable {
        case connect
        case send(AgentWireWorkerMessage)
        case close(String)
        case ask(AgentJob)
        /// Start a session before the given time is over.
        case begin(AgentAssignment, by: Instant)
        case tell(AgentTermination)
        case count(DispatchOutcome)
        case log(Logger.Level, String, job: String? = nil)
    }

    enum Link: Sendable, Equatable {
        case waiting(until: Instant)
        case connecting
        case registering(until: Instant)
        case registered(Session)
        /// Ours to close; `closed` follows.
        case closing
        case ended
    }

    /// What lasts as long as the server knows us.
    struct Session: Sendable, Equatable {
        var workerID: String
        var since: Instant
        var updateDue: Instant
        var pingDue: Instant
        var unansweredPings = 0
        var isReportedFull: Bool?
    }

    let settings: AgentRegistrationSettings
    /// For assignments that name no other.
    let url: String
    let start: Instant
    private(set) var link: Link
    private(set) var isDraining = false
    var capacity = DispatchCapacity(free: 0, total: 0)
    /// Jobs under way; few.
    var jobs: [String: JobEntry] = [:]
    var running: [String: RunningJob] = [:]
    /// What the server has not been told since there was no connection.
    var unreported: [AgentWireUpdateJobStatus] = []
    var lastNumber: UInt64 = 0
    /// Filled while an event is handled.
    var actions: [Action] = []
    private var registrations = 0
    private var failures = 0
    private var random: SeededRandom

    init(_ settings: AgentRegistrationSettings, url: String, now: Instant, seed: UInt64) {
        self.settings = settings
        self.url = url
        start = now
        link = .waiting(until: now)
        random = SeededRandom(seed: seed)
    }

    var isRegistered: Bool { session != nil }

    mutating func handle(_ event: Event, now: Instant) -> [Action] {
        switch event {
        case .opened: opened(now)
        case .received(let message): received(message, now)
        case .undecodable(let why): close("the server sent what is no message of the protocol: \(why)")
        case .closed(let reason): closed(reason, now)
        case .tick:
            tickLink(now)
            tickJobs(now)
        case .capacity(let value):
            capacity = value
            capacity.measured = value.measured ?? now
            acceptHeld(now)
        case .answered(let id, let answer): answered(id, answer, now)
        case .started(let id): started(id, now)
        case .startFailed(let id, let error): startFailed(id, error, now)
        case .ended(let id, let error): ended(id, error)
        case .drain:
            isDraining = true
            refusePending()
        case .stop:
            refusePending()
            failStarting()
            close("the dispatcher ends")
            link = .ended
        }
        reportStatus(now)
        defer { actions = [] }
        return actions
    }

    // MARK: Connection

    var session: Session? {
        guard case .registered(let session) = link else { return nil }
        return session
    }

    private mutating func opened(_ now: Instant) {
        guard link == .connecting else { return }
        link = .registering(until: now + settings.registerWithin)
        actions.append(
            .send(
                .with {
                    $0.register.type = .jtRoom
                    $0.register.agentName = settings.agentName
                    $0.register.version = settings.version
                    $0.register.pingInterval = UInt32(settings.pingEvery.components.seconds)
                    $0.register.allowedPermissions = settings.permissions.wire
                }))
    }

    private mutating func received(_ message: AgentWireServerMessage, _ now: Instant) {
        switch link {
        case .registering:
            guard case .register(let response) = message.message else {
                return close("the server's first message does not answer the registration")
            }
            registered(response, now)
        case .registered(let session): received(message, session, now)
        case .waiting, .connecting, .closing, .ended: break
        }
    }

    private mutating func received(_ message: AgentWireServerMessage, _ session: Session, _ now: Instant) {
        switch message.message {
        case .availability(let request): offered(request.job, now)
        case .assignment(let assignment): assigned(assignment, session.workerID, now)
        case .termination(let termination): terminated(termination.jobID, now)
        case .pong: update { $0.unansweredPings = 0 }
        case .register: log(.warning, "the LiveKit server registers this dispatcher again, unasked")
        // Servers are newer than their clients.
        case nil: log(.debug, "the LiveKit server sent a message of a kind that is not known")
        }
    }

    private mutating func registered(_ response: AgentWireRegisterWorkerResponse, _ now: Instant) {
        link = .registered(
            Session(
                workerID: response.workerID, since: now, updateDue: now + settings.updateEvery, pingDue: now + settings.pingEvery))
        registrations += 1
        if registrations > 1 { actions.append(.count(.reconnected)) }
        log(.info, "registered at the LiveKit server, version \(response.serverInfo.version), as worker \(response.workerID)")
        let ours = assignedJobs
        if !ours.isEmpty { send { $0.migrateJob.jobIds = ours } }
        reportStatus(now)
        reportUnreported()
    }

    private mutating func closed(_ reason: String, _ now: Instant) {
        guard link != .ended else { return }
        let wasRegistered = isRegistered
        if let session, now - session.since >= settings.stableAfter { failures = 0 }
        let delay = reconnectDelay()
        // Once, and then now and then: a server may be away for hours.
        log(wasRegistered || failures % 30 == 0 ? .warning : .debug, "no connection to the LiveKit server: \(reason); next attempt in \(delay)")
        failures += 1
        link = .waiting(until: now + delay)
        forgetUnassigned()
    }

    /// What LiveKit's own workers wait, which is `min(2n, 10)` seconds, less up to a half so that dispatchers do not come back in step.
    private mutating func reconnectDelay() -> Duration {
        let longest = failures == 0 ? 0.5 : min(2 * Double(failures), 10)
        return .seconds(longest * Double.random(in: 0.5...1, using: &random))
    }

    mutating func close(_ reason: String) {
        switch link {
        case .connecting, .registering, .registered:
            link = .closing
            actions.append(.close(reason))
        case .waiting, .closing, .ended: break
        }
    }

    private mutating func tickLink(_ now: Instant) {
        switch link {
        case .waiting(let until) where now >= until:
            link = .connecting
            actions.append(.connect)
        case .registering(let until) where now >= until:
            close("the registration was not answered within \(settings.registerWithin)")
        case .registered(let session):
            if now >= session.pingDue { ping(session, now) }
            if now >= session.updateDue { sendStatus(now) }
        case .waiting, .connecting, .registering, .closing, .ended: break
        }
    }

    private mutating func ping(_ session: Session, _ now: Instant) {
        guard session.unansweredPings < 2 else { return close("two pings were not answered") }
        let due = now + settings.pingEvery
        update {
            $0.unansweredPings += 1
            $0.pingDue = due
        }
        // The server only sends it back.
        let timestamp = Int64((now - start) / .milliseconds(1))
        send { $0.ping.timestamp = timestamp }
    }

    private mutating func update(_ change: (inout Session) -> Void) {
        guard case .registered(var session) = link else { return }
        change(&session)
        link = .registered(session)
    }

    // MARK: Load

    /// The server offers a job to nobody whose workers are all full, and forgets it. So while there is room in the line of those that wait we are not.
    var isFull: Bool { isDraining || (!hasRoom && pendingCount >= settings.maximumPending) }

    /// The share of the capacity that is taken, as a share of the load from which on the server offers nothing.
    var load: Double {
        guard !isFull else { return 1 }
        let free = max(0, capacity.free - reserved)
        let taken = capacity.total > 0 ? min(max(1 - free / capacity.total, 0), 1) : 1
        return taken * settings.targetLoad * 0.98
    }

    private mutating func reportStatus(_ now: Instant) {
        guard let session, session.isReportedFull != isFull else { return }
        sendStatus(now)
    }

    private mutating func sendStatus(_ now: Instant) {
        let (isFull, load, count, due) = (isFull, load, assignedCount, now + settings.updateEvery)
        update {
            $0.isReportedFull = isFull
            $0.updateDue = due
        }
        send {
            $0.updateWorker.status = isFull ? .wsFull : .wsAvailable
            $0.updateWorker.load = Float(load)
            $0.updateWorker.jobCount = UInt32(count)
        }
    }

    // MARK: Actions

    /// Dropped unless the server knows us.
    mutating func send(_ fill: (inout AgentWireWorkerMessage) -> Void) {
        if isRegistered { actions.append(.send(.with { fill(&$0) })) }
    }

    mutating func log(_ level: Logger.Level, _ text: String, job: String? = nil) {
        actions.append(.log(level, text, job: job))
    }
}
