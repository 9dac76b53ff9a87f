package import Logging
import NIOCore
import Placement
import Synchronization
package import Telemetry

/// What all callers of one dispatcher share.
package final class DispatcherCore: Sendable {
    let admission: Admission
    package let backends: DispatcherBackends
    /// Proxies that are believed who called them.
    let trustedProxies: [AddressBlock]
    let logger: Logger
    let metrics: DispatcherMetrics
    let connections = CallerConnections()
    let rooms: RoomKeepers
    /// Nil: clients cannot come back.
    let returns: (any Returns)?
    /// Nil: only the end of a link tells that a worker is gone.
    let watch: WorkerWatch?
    private let draining = Mutex(false)

    package init(
        admission: Admission, backends: DispatcherBackends, returns: (any Returns)? = nil, watch: WorkerWatch? = nil, rooms: RoomKeepers = RoomKeepers(), trustedProxies: [AddressBlock] = [], logger: Logger,
        registry: MetricsRegistry
    ) {
        var admission = admission
        admission.backends = backends
        self.admission = admission
        self.backends = backends
        self.returns = returns
        self.watch = watch
        self.rooms = rooms
        self.trustedProxies = trustedProxies
        self.logger = logger
        self.metrics = DispatcherMetrics(registry: registry)
    }

    package var isDraining: Bool { draining.withLock { $0 } }
    package var liveCallers: Int { connections.count }

    /// New callers are refused from now on. Those who can come back to their sessions are sent away with 1012; the others go on.
    package func drain() {
        draining.withLock { $0 = true }
        connections.shutDown(all: false)
        rooms.letGo()
    }
    /// Closes every caller's connection with 1012.
    package func shutDown() { connections.shutDown(all: true) }
}

/// What a caller's connection asks of Redis and the store.
extension DispatcherCore {
    /// A new call with a place for it; or the call that a client has come back to, with the worker that has it, where that lives.
    ///
    /// While all workers are full the caller waits, and `waiting` is told its position in the line.
    func admit(
        _ request: Admission.Request, waiting: @escaping @Sendable (Int) -> Void
    ) async throws -> (RelayedCall, WorkerPlace?) {
        if let token = request.resumeToken { return try await readmit(token, address: request.address) }
        let admitted = try await admission.admit(request, waiting: waiting)
        var call = RelayedCall(
            session: admitted.session, tenant: admitted.tenant, generation: 1, needs: admitted.needs, lease: admitted.lease, fence: admitted.fence)
        if request.canResume { call.resumeToken = await resumeToken(for: call) }
        return (call, admitted.place)
    }

    private func readmit(_ token: String, address: String) async throws -> (RelayedCall, WorkerPlace?) {
        guard let returns else { throw AdmissionError(.badToken, "this service has no resume tokens") }
        try await admission.limits?.attempt(address: address, holder: nil)
        let (record, generation, standing) = try await returns.find(token)
        var call = RelayedCall(
            session: record.session, tenant: record.tenant, generation: generation,
            needs: PlacementRequest(weight: record.weight, region: admission.region, labels: record.labels), fence: standing.fence)
        // Whoever had a place before has it again: the limit is for new calls.
        call.lease = try? await admission.limits?.place(session: record.session, tenant: record.tenant, key: nil)
        call.oldToken = token
        call.resumeToken = await resumeToken(for: call)
        let isGone = watch.map { !$0.isAlive(standing.owner) } ?? false
        return (call, isGone ? nil : WorkerPlace(standing))
    }

    /// Empty where Redis does not take it: the call goes on, and cannot be resumed.
    private func resumeToken(for call: RelayedCall) async -> String {
        let record = ReturnRecord(session: call.session, tenant: call.tenant, weight: call.needs.weight, labels: call.needs.labels)
        return (try? await returns?.mint(record)) ?? ""
    }

    /// A worker for a call that has none, and where the session stands when that may have changed.
    func relocate(_ call: RelayedCall, _ move: RelayMove) async throws -> (SessionStanding?, WorkerPlace) {
        var standing: SessionStanding?
        if let returns {
            if !call.resumeToken.isEmpty, await returns.isSuperseded(call.session, generation: call.generation) {
                throw AdmissionError(.superseded, "the call goes on over another connection")
            }
            // A worker that did not answer may have claimed the session all the same.
            if move.attempts > 1 { standing = try await returns.standing(of: call.session, tenant: call.tenant) }
        }
        var request = call.needs
        request.purpose = move.reason == .opened ? .new : .takeover
        request.excluding = move.excluded.union(watch?.dead ?? [])
        return (standing, try await admission.workers.place(request))
    }
}

extension WorkerPlace {
    /// The worker that has a session; nothing has to be reserved there.
    fileprivate init?(_ standing: SessionStanding) {
        guard let colon = standing.address.lastIndex(of: ":"), let port = Int(standing.address[standing.address.index(after: colon)...]) else {
            return nil
        }
        self.init(worker: standing.owner, host: String(standing.address[..<colon]), port: port, reservation: "")
    }
}

/// The callers that are connected now.
final class CallerConnections: Sendable {
    private struct Entry: Sendable {
        let connection: NIOLoopBound<CallerConnection>
        let eventLoop: any EventLoop
    }
    private let entries = Mutex<[ObjectIdentifier: Entry]>([:])

    var count: Int { entries.withLock { $0.count } }

    func add(_ connection: CallerConnection, on eventLoop: any EventLoop) {
        let entry = Entry(connection: NIOLoopBound(connection, eventLoop: eventLoop), eventLoop: eventLoop)
        entries.withLock { $0[ObjectIdentifier(connection)] = entry }
    }

    func remove(_ connection: CallerConnection) {
        entries.withLock { $0[ObjectIdentifier(connection)] = nil }
    }

    func shutDown(all: Bool) {
        for entry in entries.withLock({ Array($0.values) }) {
            entry.eventLoop.execute { entry.connection.value.shutDown(all: all) }
        }
    }
}

/// What a dispatcher counts.
struct DispatcherMetrics: Sendable {
    let callers: Counter
    let callersGone: Counter
    let workersLost: Counter
    let throttles: Counter
    private let moves: [RelayMove.Reason: Histogram]
    private let refusals: [AdmissionError.Code: Counter]

    init(registry: MetricsRegistry) {
        callers = registry.counter("parley_dispatcher_callers_total", help: "WebSocket callers that connected.")
        callersGone = registry.counter("parley_dispatcher_callers_gone_total", help: "WebSocket callers that are gone again.")
        workersLost = registry.counter("parley_dispatcher_workers_lost_total", help: "Relay links that broke during a call.")
        throttles = registry.counter("parley_dispatcher_throttles_total", help: "Changes of back pressure from callers.")
        var moves: [RelayMove.Reason: Histogram] = [:]
        for reason in [RelayMove.Reason.opened, .takeover, .drain, .adopt] {
            moves[reason] = registry.histogram(
                "parley_dispatcher_move_seconds", help: "From the moment a call needs a worker until one has it.",
                labels: ["reason": reason.rawValue])
        }
        self.moves = moves
        var refusals: [AdmissionError.Code: Counter] = [:]
        for code in AdmissionError.Code.allCases {
            refusals[code] = registry.counter(
                "parley_dispatcher_refusals_total", help: "Callers that were refused or cut off.", labels: ["code": code.rawValue])
        }
        self.refusals = refusals
    }

    func moved(_ move: RelayMove) {
        moves[move.reason]?.observe(Double((NIODeadline.now() - move.since).nanoseconds) / 1e9)
    }
    func refused(_ code: AdmissionError.Code) { refusals[code]?.increment() }
}
