import DispatcherService
import Placement
import RateLimits
import Synchronization

/// What the ports of admission are made to do.
struct Cluster: Sendable {
    /// Redis or the session store cannot be reached.
    struct Away: Error {}

    var directory = FakeDirectory()
    var tokens = FakeTokens()
    var store = FakeStore()
    var workers = FakeWorkers()
    /// Instead of `workers`.
    var placing: (any WorkerPlacing)?
    var returns: FakeReturns?
    var limits: CallerLimits?
    var waitingRoom = WaitingRoom(.init(places: 0))

    var admission: Admission {
        Admission(
            directory: directory, tokens: tokens, store: store, workers: placing ?? workers,
            tickets: TicketSigner { session, fence in "ticket \(session) \(fence)" }, region: "eu1", limits: limits,
            waitingRoom: waitingRoom)
    }
}

struct FakeDirectory: CallerDirectory {
    static let key = "parley_good"
    let tea = AgentVersion(name: "tea", hash: "h-tea", definition: "agent: tea")

    func holder(ofKey key: String) -> KeyHolder? { key == Self.key ? KeyHolder(tenant: "acme", key: "k1") : nil }
    /// Besides `tea`.
    var others: [AgentVersion] = []

    func agent(named name: String, tenant: String) -> AgentVersion? { agents(of: tenant).first { $0.name == name } }
    func agents(of tenant: String) -> [AgentVersion] { tenant == "acme" ? [tea] + others : [] }
}

/// Tokens in memory, with the errors of those in Redis.
final class FakeTokens: ConnectTokens {
    private struct State {
        var grants: [String: ConnectGrant] = [:]
        var used: Set<String> = []
        var isAway = false
    }
    private let state = Mutex(State())

    var isAway: Bool {
        get { state.withLock { $0.isAway } }
        set { state.withLock { $0.isAway = newValue } }
    }

    func mint(_ grant: ConnectGrant) async throws -> String {
        try state.withLock { state in
            if state.isAway { throw Cluster.Away() }
            let token = "pct_\(state.grants.count + state.used.count + 1)"
            state.grants[token] = grant
            return token
        }
    }

    func redeem(_ token: String) async throws -> ConnectGrant {
        try state.withLock { state in
            if state.isAway { throw Cluster.Away() }
            if state.used.contains(token) { throw AdmissionError(.usedToken, "the connect token was used before") }
            guard let grant = state.grants.removeValue(forKey: token) else {
                throw AdmissionError(.badToken, "the connect token is not known or older than 60 s")
            }
            state.used.insert(token)
            return grant
        }
    }

    /// 60 s are over.
    func expireAll() { state.withLock { $0.grants = [:] } }
}

final class FakeStore: SessionOpener {
    struct Opened: Sendable, Hashable {
        var tenant: String
        var agent: String
        var colleagues: [String]
        var backend: String
        var parameters: [String: String]
        var key: String
    }
    private struct State {
        var opened: [Opened] = []
        var failure: (any Error)?
    }
    private let state = Mutex(State())

    var opened: [Opened] { state.withLock { $0.opened } }
    func fail(with error: (any Error)?) { state.withLock { $0.failure = error } }

    func open(
        tenant: String, agent: AgentVersion, colleagues: [AgentVersion], backend: String, parameters: [String: String],
        key: String
    ) async throws -> (session: String, fence: UInt64) {
        try state.withLock { state in
            if let failure = state.failure { throw failure }
            state.opened.append(
                Opened(
                    tenant: tenant, agent: agent.name, colleagues: colleagues.map(\.name), backend: backend,
                    parameters: parameters,
                    key: key))
            return ("s-\(state.opened.count)", 7)
        }
    }
}

final class FakeWorkers: WorkerPlacing {
    private struct State {
        var failure: (any Error)?
        /// Placements that still succeed; nil: all.
        var room: Int?
        var asked: [PlacementRequest] = []
        var givenUp: [String] = []
    }
    private let state = Mutex(State())
    /// Where the one worker listens; nobody does on port 1.
    private let port: Int

    init(port: Int = 1) { self.port = port }

    func fail(with error: (any Error)?) { state.withLock { $0.failure = error } }
    /// So many more sessions find room, then all is full.
    func setRoom(_ count: Int) { state.withLock { $0.room = count } }
    var asked: [PlacementRequest] { state.withLock { $0.asked } }
    var givenUp: [String] { state.withLock { $0.givenUp } }

    func place(_ request: PlacementRequest) async throws -> WorkerPlace {
        try state.withLock { state in
            state.asked.append(request)
            if let failure = state.failure { throw failure }
            if let room = state.room {
                guard room > 0 else { throw AdmissionError(.full, "all media workers are full") }
                state.room = room - 1
            }
        }
        return WorkerPlace(worker: "w-1", host: "127.0.0.1", port: port, reservation: "r-1", weight: request.weight)
    }

    func giveUp(_ place: WorkerPlace) async { state.withLock { $0.givenUp.append(place.reservation) } }
}

/// Limits as Redis keeps them, in memory: buckets that are never filled again, and leases that never lapse.
final class FakeLimits: LimitStore {
    private struct State {
        var taken: [LimitSubject: Double] = [:]
        var held: [LimitSubject: Set<String>] = [:]
    }
    private let state = Mutex(State())

    func taken(of subject: LimitSubject) -> Double { state.withLock { $0.taken[subject] ?? 0 } }
    func held(of subject: LimitSubject) -> Set<String> { state.withLock { $0.held[subject] ?? [] } }

    func take(_ buckets: [BucketRequest]) async throws -> LimitRefusal? {
        state.withLock { state in
            for bucket in buckets where (state.taken[bucket.subject] ?? 0) + bucket.count > bucket.limit.burst {
                return LimitRefusal(bucket, retryAfter: .milliseconds(2_500))
            }
            for bucket in buckets { state.taken[bucket.subject, default: 0] += bucket.count }
            return nil
        }
    }

    func charge(_ buckets: [BucketRequest]) async throws {}

    func acquire(_ member: String, _ leases: [LeaseRequest]) async throws -> LimitRefusal? {
        state.withLock { state in
            for lease in leases where (state.held[lease.subject]?.count ?? 0) >= lease.maximum {
                return LimitRefusal(lease)
            }
            for lease in leases { state.held[lease.subject, default: []].insert(member) }
            return nil
        }
    }

    func renew(_ leases: [HeldLease]) async throws {
        state.withLock { state in
            for lease in leases { state.held[lease.subject, default: []].insert(lease.member) }
        }
    }

    func release(_ leases: [HeldLease]) async throws {
        state.withLock { state in
            for lease in leases { state.held[lease.subject]?.remove(lease.member) }
        }
    }

    func isHeld(_ lease: HeldLease) async throws -> Bool { held(of: lease.subject).contains(lease.member) }
}
