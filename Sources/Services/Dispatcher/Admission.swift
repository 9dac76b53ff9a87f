package import BackendKit
import Conversation
package import Placement
package import RateLimits

/// Lets callers in: limits, credentials, agent, worker, session. Holds nothing that a restart loses.
package struct Admission: Sendable {
    package struct Request: Sendable, Hashable {
        /// Connect token or API key.
        package var credential: String?
        /// Named by the client; a connect token has its own.
        package var agent: String?
        package var parameters: [String: String]
        package var backend: String
        /// Where the caller is, for the limits of addresses.
        package var address: String
        /// The client comes back to its session with this.
        package var resumeToken: String?
        /// The client says that it can come back.
        package var canResume: Bool
        /// The request that the connection began with, for backends that let callers in themselves.
        package var http: BackendRequest?

        package init(
            credential: String?, agent: String?, parameters: [String: String] = [:], backend: String, address: String = "",
            resumeToken: String? = nil, canResume: Bool = false, http: BackendRequest? = nil
        ) {
            self.http = http
            self.resumeToken = resumeToken
            self.canResume = canResume
            self.credential = credential
            self.agent = agent
            self.parameters = parameters
            self.backend = backend
            self.address = address
        }
    }

    package struct Admitted: Sendable {
        package var session: String
        package var tenant: String
        /// The API key that the caller came with, or got its token for.
        package var key: String?
        package var fence: UInt64
        package var place: WorkerPlace
        /// What was asked of placement, for the time when the session needs another place.
        package var needs: PlacementRequest
        package var ticket: String
        /// The session's place among those that its tenant and key may have. It is given back when nobody has this any more: whoever
        /// holds the caller's connection keeps it as long.
        package var lease: Lease?
    }

    /// Prefix of API keys; connect tokens begin with `pct_`.
    package static let keyPrefix = "parley_"

    let directory: any CallerDirectory
    let tokens: any ConnectTokens
    let store: any SessionOpener
    let workers: any WorkerPlacing
    let tickets: TicketSigner
    let region: String
    /// Nil: nobody is limited.
    package let limits: CallerLimits?
    /// Set by the dispatcher: what backends decide for themselves.
    var backends = DispatcherBackends()
    private let waitingRoom: WaitingRoom
    private let needs = AgentNeeds()

    /// Sessions are placed on workers of `region`; empty means any.
    package init(
        directory: any CallerDirectory, tokens: any ConnectTokens, store: any SessionOpener,
        workers: any WorkerPlacing, tickets: TicketSigner, region: String = "", limits: CallerLimits? = nil,
        waitingRoom: WaitingRoom = WaitingRoom(.init(places: 0))
    ) {
        self.directory = directory
        self.tokens = tokens
        self.store = store
        self.workers = workers
        self.tickets = tickets
        self.region = region
        self.limits = limits
        self.waitingRoom = waitingRoom
    }

    /// Everything from the credential to a reserved place on a worker. While all are full the caller waits in line, and `waiting` is told its
    /// position, from 1, whenever it changes.
    package func admit(_ request: Request, waiting: @escaping @Sendable (Int) -> Void = { _ in }) async throws -> Admitted {
        try await open(try await grant(for: request), backend: request.backend, waiting: waiting)
    }

    /// The same for a caller who is known. `room`: where the session takes place, of a backend that has rooms.
    func open(
        _ grant: ConnectGrant, backend: String, room: [UInt8] = [], waiting: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws -> Admitted {
        let agent = try agent(grant)
        try check(agent, serves: backend)
        let colleagues = try colleagues(of: agent, tenant: grant.tenant)
        try check([agent] + colleagues, mayTransferOver: backend)
        let lease = try await limits?.place(tenant: grant.tenant, key: grant.key)
        let needs = placement(of: [agent] + colleagues, backend: backend)
        let place = try await waitingRoom.place(needs, by: workers, waiting: waiting)
        do {
            let opening = SessionOpening(
                tenant: grant.tenant, agent: agent, colleagues: colleagues, backend: backend, parameters: grant.parameters,
                key: place.reservation, room: room, privacy: backends[backend]?.admission.privacy ?? BackendPrivacy())
            let opened = try await store.open(opening)
            lease?.rename(to: opened.session)
            let ticket = try tickets.ticket(session: opened.session, fence: opened.fence)
            return Admitted(
                session: opened.session, tenant: grant.tenant, key: grant.key, fence: opened.fence, place: place,
                needs: needs, ticket: ticket, lease: lease)
        } catch {
            await workers.giveUp(place)
            throw error
        }
    }

    /// An agent file may name the backend of its callers, and has options only for that.
    private func check(_ agent: AgentVersion, serves backend: String) throws {
        guard let choice = needs.of(agent).backend else { return }
        guard choice.name == backend else {
            throw AdmissionError(
                .badRequest, "the agent '\(agent.name)' takes callers of the backend '\(choice.name)' only, as its file says; this is '\(backend)'")
        }
        guard let entry = backends[backend] else { return }
        do { _ = try entry.settings.with(options: choice.options, of: entry.backend) } catch {
            throw AdmissionError(.badRequest, "the agent '\(agent.name)' cannot be called: \(error)")
        }
    }

    /// An agent that may transfer callers would promise what a backend without that cannot do.
    private func check(_ agents: [AgentVersion], mayTransferOver backend: String) throws {
        guard let entry = backends[backend], !entry.backend.capabilities.contains(.transfer),
            let agent = agents.first(where: { needs.of($0).transfers })
        else { return }
        throw AdmissionError(
            .badRequest,
            "the agent '\(agent.name)' may transfer callers ('transfer_to' in its file), and calls of the backend '\(backend)' cannot be transferred; "
                + "GET /v1/backends shows which backends can")
    }

    /// What a session of these agents needs of a worker.
    private func placement(of agents: [AgentVersion], backend: String) -> PlacementRequest {
        let needs = needs.of(agents)
        let labels = needs.labels.union([PlacementRequest.label(ofBackend: backend)])
        return PlacementRequest(weight: needs.weight, region: region, labels: labels)
    }

    /// What a session of this agent alone needs.
    func needs(of agent: AgentVersion, backend: String) -> PlacementRequest { placement(of: [agent], backend: backend) }

    /// Mints a connect token for the holder of an API key.
    package func connect(key: String?, agent: String, parameters: [String: String]) async throws -> String {
        let holder = try holder(of: key)
        let grant = ConnectGrant(tenant: holder.tenant, agent: agent, parameters: parameters, key: holder.key)
        _ = try self.agent(grant)
        return try await tokens.mint(grant)
    }

    /// The holder of an API key that was sent from `address`; counts the attempt, also one with a bad key.
    package func authenticate(key: String?, address: String) async throws -> KeyHolder {
        let result = Result { try holder(of: key) }
        try await limits?.attempt(address: address, holder: try? result.get())
        return try result.get()
    }

    private func holder(of key: String?) throws -> KeyHolder {
        guard let key, !key.isEmpty else {
            throw AdmissionError(.missingCredentials, "send an API key as 'Authorization: Bearer parley_…'")
        }
        guard let holder = try directory.holder(ofKey: key) else {
            throw AdmissionError(.badKey, "the API key is not known or was revoked")
        }
        return holder
    }

    private func grant(for request: Request) async throws -> ConnectGrant {
        if let own = try await ownGrant(for: request) { return own }
        guard let credential = request.credential, credential.hasPrefix(Self.keyPrefix) else {
            return try await redeem(request.credential ?? "", address: request.address)
        }
        let holder = try await authenticate(key: credential, address: request.address)
        guard let agent = request.agent, !agent.isEmpty else {
            throw AdmissionError(.badRequest, "name the agent: '?agent=NAME'")
        }
        return ConnectGrant(tenant: holder.tenant, agent: agent, parameters: request.parameters, key: holder.key)
    }

    /// What the backend decides itself; nil: it leaves that to connect tokens and API keys.
    private func ownGrant(for request: Request) async throws -> ConnectGrant? {
        guard let admission = backends[request.backend]?.admission, let http = request.http else { return nil }
        do {
            let isCounted = try await admission.limit(http)
            guard let identity = try await admission.authenticate(http) else { return nil }
            if !isCounted { try await limits?.attempt(address: request.address, holder: identity.key.map { KeyHolder(tenant: identity.tenant, key: $0) }) }
            guard let agent = identity.agent ?? request.agent, !agent.isEmpty else {
                throw AdmissionError(.badRequest, "name the agent: '?agent=NAME'")
            }
            try await admission.authorise(identity, agent: agent)
            return ConnectGrant(
                tenant: identity.tenant, agent: agent, parameters: request.parameters.merging(identity.parameters) { $1 }, key: identity.key)
        } catch let refusal as BackendRefusal {
            throw AdmissionError(refusal)
        }
    }

    /// A token works once and was counted for key and tenant when it was made: only the address is counted here.
    private func redeem(_ token: String, address: String) async throws -> ConnectGrant {
        try await limits?.attempt(address: address, holder: nil)
        guard !token.isEmpty else {
            throw AdmissionError(
                .missingCredentials, "connect with '?token=' from POST /v1/connect, or with an API key as Bearer token")
        }
        return try await tokens.redeem(token)
    }

    /// The agents that this one may hand its conversation to, and they in turn, in the versions of now. Those that do not exist are left
    /// out: the agent is not offered them.
    private func colleagues(of agent: AgentVersion, tenant: String) throws -> [AgentVersion] {
        var found = [agent]
        var index = 0
        while index < found.count, found.count <= Self.maximumColleagues {
            let version = found[index]
            index += 1
            for name in needs.of(version).handOffs where !found.contains(where: { $0.name == name }) {
                if let next = try directory.agent(named: name, tenant: tenant) { found.append(next) }
            }
        }
        return Array(found.dropFirst().prefix(Self.maximumColleagues))
    }

    private static let maximumColleagues = 16

    private func agent(_ grant: ConnectGrant) throws -> AgentVersion {
        if let agent = try directory.agent(named: grant.agent, tenant: grant.tenant) { return agent }
        let known = directory.agents(of: grant.tenant).map(\.name).sorted().joined(separator: ", ")
        throw AdmissionError(
            .unknownAgent, "there is no agent '\(grant.agent)'; known: \(known.isEmpty ? "none" : known)")
    }
}

/// Signs the tickets of internal links: (session, fence, role), 30 s.
package struct TicketSigner: Sendable {
    private let sign: @Sendable (_ session: String, _ fence: UInt64) throws -> String

    package init(_ sign: @escaping @Sendable (String, UInt64) throws -> String) { self.sign = sign }

    func ticket(session: String, fence: UInt64) throws -> String { try sign(session, fence) }
}
