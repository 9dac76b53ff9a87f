import DispatcherService
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

    var admission: Admission {
        Admission(
            directory: directory, tokens: tokens, store: store, workers: placing ?? workers,
            tickets: TicketSigner { session, fence in "ticket \(session) \(fence)" })
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

final class FakeStore: SessionOpening {
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
    private let failure = Mutex<(any Error)?>(nil)
    /// Where the one worker listens; nobody does on port 1.
    private let port: Int

    init(port: Int = 1) { self.port = port }

    func fail(with error: (any Error)?) { failure.withLock { $0 = error } }

    func place(weight: Double, excluding: Set<String>) async throws -> WorkerPlace {
        if let failure = failure.withLock({ $0 }) { throw failure }
        return WorkerPlace(worker: "w-1", host: "127.0.0.1", port: port, reservation: "r-1")
    }
}
