import Conversation

/// Lets callers in: credentials, agent, session, worker. Holds nothing that a restart loses.
package struct Admission: Sendable {
    package struct Request: Sendable, Hashable {
        /// Connect token or API key.
        package var credential: String?
        /// Named by the client; a connect token has its own.
        package var agent: String?
        package var parameters: [String: String]
        package var backend: String
        /// The client comes back to its session with this.
        package var resumeToken: String?
        /// The client says that it can come back.
        package var canResume: Bool

        package init(
            credential: String?, agent: String?, parameters: [String: String] = [:], backend: String, resumeToken: String? = nil,
            canResume: Bool = false
        ) {
            self.resumeToken = resumeToken
            self.canResume = canResume
            self.credential = credential
            self.agent = agent
            self.parameters = parameters
            self.backend = backend
        }
    }

    package struct Admitted: Sendable, Hashable {
        package var session: String
        package var tenant: String
        package var fence: UInt64
        package var place: WorkerPlace
        package var ticket: String
    }

    /// Prefix of API keys; connect tokens begin with `pct_`.
    package static let keyPrefix = "parley_"

    let directory: any CallerDirectory
    let tokens: any ConnectTokens
    let store: any SessionOpening
    let workers: any WorkerPlacing
    let tickets: TicketSigner

    package init(
        directory: any CallerDirectory, tokens: any ConnectTokens, store: any SessionOpening,
        workers: any WorkerPlacing,
        tickets: TicketSigner
    ) {
        self.directory = directory
        self.tokens = tokens
        self.store = store
        self.workers = workers
        self.tickets = tickets
    }

    /// Everything from the credential to a reserved place on a worker.
    package func admit(_ request: Request) async throws -> Admitted {
        let grant = try await grant(for: request)
        let agent = try agent(grant)
        let place = try await workers.place(weight: 1, excluding: [])
        let opened = try await store.open(
            tenant: grant.tenant, agent: agent, colleagues: try colleagues(of: agent, tenant: grant.tenant),
            backend: request.backend,
            parameters: grant.parameters, key: place.reservation)
        let ticket = try tickets.ticket(session: opened.session, fence: opened.fence)
        return Admitted(
            session: opened.session, tenant: grant.tenant, fence: opened.fence, place: place, ticket: ticket)
    }

    /// Mints a connect token for the holder of an API key.
    package func connect(key: String?, agent: String, parameters: [String: String]) async throws -> String {
        let holder = try holder(of: key)
        let grant = ConnectGrant(tenant: holder.tenant, agent: agent, parameters: parameters)
        _ = try self.agent(grant)
        return try await tokens.mint(grant)
    }

    package func holder(of key: String?) throws -> KeyHolder {
        guard let key, !key.isEmpty else {
            throw AdmissionError(.missingCredentials, "send an API key as 'Authorization: Bearer parley_…'")
        }
        guard let holder = try directory.holder(ofKey: key) else {
            throw AdmissionError(.badKey, "the API key is not known or was revoked")
        }
        return holder
    }

    private func grant(for request: Request) async throws -> ConnectGrant {
        guard let credential = request.credential, !credential.isEmpty else {
            throw AdmissionError(
                .missingCredentials, "connect with '?token=' from POST /v1/connect, or with an API key as Bearer token")
        }
        guard credential.hasPrefix(Self.keyPrefix) else { return try await tokens.redeem(credential) }
        let holder = try holder(of: credential)
        guard let agent = request.agent, !agent.isEmpty else {
            throw AdmissionError(.badRequest, "name the agent: '?agent=NAME'")
        }
        return ConnectGrant(tenant: holder.tenant, agent: agent, parameters: request.parameters)
    }

    /// The agents that this one may hand its conversation to, and they in turn, in the versions of now. Those that do not exist are left
    /// out: the agent is not offered them.
    private func colleagues(of agent: AgentVersion, tenant: String) throws -> [AgentVersion] {
        var found = [agent]
        var index = 0
        while index < found.count, found.count <= Self.maximumColleagues {
            let version = found[index]
            index += 1
            // Few agents hand off: the others are not parsed.
            guard version.definition.contains("hand_off_to"),
                let definition = try? AgentFile.read(version.definition, source: version.name)
            else { continue }
            for name in definition.handOffs.keys.sorted() where !found.contains(where: { $0.name == name }) {
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
