package import BackendKit
package import Placement

/// What the dispatcher knows of tenants. Served from memory, so that a caller never waits for PostgreSQL.
package protocol CallerDirectory: Sendable {
    /// The key's holder, or nil for an unknown or revoked key. Throws `unavailable` when nobody can know yet.
    func holder(ofKey key: String) throws(AdmissionError) -> KeyHolder?
    /// The current version of an agent. Throws `unavailable` when nobody can know yet.
    func agent(named name: String, tenant: String) throws(AdmissionError) -> AgentVersion?
    /// Names of a tenant's agents, for error messages and the API.
    func agents(of tenant: String) -> [AgentVersion]
}

package struct KeyHolder: Sendable, Hashable {
    package var tenant: String
    package var key: String

    package init(tenant: String, key: String) {
        self.tenant = tenant
        self.key = key
    }
}

package struct AgentVersion: Sendable, Hashable {
    package var name: String
    package var hash: String
    /// The YAML text.
    package var definition: String

    package init(name: String, hash: String, definition: String) {
        self.name = name
        self.hash = hash
        self.definition = definition
    }
}

/// What a connect token stands for.
package struct ConnectGrant: Sendable, Hashable, Codable {
    package var tenant: String
    package var agent: String
    package var parameters: [String: String]
    /// The API key that asked for the token; nil in tokens of an older version.
    package var key: String?

    package init(tenant: String, agent: String, parameters: [String: String] = [:], key: String? = nil) {
        self.tenant = tenant
        self.agent = agent
        self.parameters = parameters
        self.key = key
    }
}

/// Connect tokens: they live 60 s and work once.
package protocol ConnectTokens: Sendable {
    func mint(_ grant: ConnectGrant) async throws -> String
    /// The grant, once; throws `usedToken` or `badToken`.
    func redeem(_ token: String) async throws -> ConnectGrant
}

/// Opens sessions in the store.
package protocol SessionOpener: Sendable {
    /// Stores the definitions under their hashes (harmless when they are there) and opens the session. Returns its id and first
    /// fence.
    func open(_ opening: SessionOpening) async throws -> (session: String, fence: UInt64)
}

/// A session to be opened.
package struct SessionOpening: Sendable, Hashable {
    package var tenant: String
    package var agent: AgentVersion
    /// Agents that may take over.
    package var colleagues: [AgentVersion]
    package var backend: String
    package var parameters: [String: String]
    /// Opening with the same key again is opening once.
    package var key: String
    /// Where it takes place; empty where callers come over a relay.
    package var room: [UInt8]
    package var privacy: BackendPrivacy
}

/// Finds a worker with room.
package protocol WorkerPlacing: Sendable {
    /// Reserves room on one worker; throws `full` when none has it.
    func place(_ request: PlacementRequest) async throws -> WorkerPlace
    /// Gives a place up that no session will use. It would lapse by itself; what goes wrong is nobody's concern.
    func giveUp(_ place: WorkerPlace) async
}

package struct WorkerPlace: Sendable, Hashable {
    package var worker: String
    package var host: String
    package var port: Int
    package var reservation: String
    /// What was reserved: what the session weighs for its worker.
    package var weight: Double

    package init(worker: String, host: String, port: Int, reservation: String, weight: Double = 1) {
        self.worker = worker
        self.host = host
        self.port = port
        self.reservation = reservation
        self.weight = weight
    }
}
