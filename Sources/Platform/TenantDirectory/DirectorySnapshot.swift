import Cryptography

/// Tenants, keys and current agents as they were at one moment. A value: whoever holds one sees no changes.
package struct DirectorySnapshot: Sendable {
    /// What a key may be refused for. Callers are told no more than that the key is not accepted; the log may say which.
    package enum Refusal: String, Sendable {
        case malformed, unknown, revoked
        case tenantDisabled = "tenant_disabled"
    }

    /// The answer to a key.
    package enum Authentication: Sendable, Equatable {
        case accepted(APIKey, Tenant)
        case refused(Refusal)
    }

    /// Rises with every change of the directory.
    package let version: Int64
    private let tenantsByID: [String: Tenant]
    private let keysByID: [String: APIKey]
    private let agentsByName: [AgentName: AgentVersion]
    private let agentsByHash: [AgentHash: AgentVersion]

    private struct AgentName: Hashable {
        let tenant, name: String
    }

    private struct AgentHash: Hashable {
        let tenant, hash: String
    }

    init(version: Int64, tenants: [Tenant], keys: [APIKey], agents: [AgentVersion]) {
        self.version = version
        tenantsByID = Dictionary(tenants.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        keysByID = Dictionary(keys.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        agentsByName = Dictionary(
            agents.map { (AgentName(tenant: $0.tenant, name: $0.name), $0) }, uniquingKeysWith: { first, _ in first })
        agentsByHash = Dictionary(
            agents.map { (AgentHash(tenant: $0.tenant, hash: $0.hash), $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Looks a key up by its public id and compares the hash of the whole in constant time.
    ///
    /// - Throws: `CryptographyError` when libcrypto cannot hash.
    package func authenticate(_ text: String) throws -> Authentication {
        guard let id = APIKeyText.id(in: text) else { return .refused(.malformed) }
        let hash = try SHA256.hash(text.utf8)
        guard let key = keysByID[id], constantTimeEqual(key.hash, hash) else { return .refused(.unknown) }
        guard !key.isRevoked else { return .refused(.revoked) }
        guard let tenant = tenantsByID[key.tenant] else { return .refused(.unknown) }
        return tenant.isDisabled ? .refused(.tenantDisabled) : .accepted(key, tenant)
    }

    package func tenant(_ id: String) -> Tenant? { tenantsByID[id] }

    /// The version that new sessions of an agent get.
    package func agent(tenant: String, name: String) -> AgentVersion? {
        agentsByName[AgentName(tenant: tenant, name: name)]
    }

    /// A version by its hash, if it is some agent's current one.
    func agent(tenant: String, hash: String) -> AgentVersion? { agentsByHash[AgentHash(tenant: tenant, hash: hash)] }

    /// Names of a tenant's agents, sorted.
    package func agentNames(tenant: String) -> [String] {
        agentsByName.keys.filter { $0.tenant == tenant }.map(\.name).sorted()
    }
}
