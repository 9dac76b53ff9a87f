package import TenantDirectory

/// `CallerDirectory` by the copy of PostgreSQL's directory in memory.
package struct PostgresDirectory: CallerDirectory {
    private let directory: TenantDirectory

    /// `directory` must be running.
    package init(_ directory: TenantDirectory) { self.directory = directory }

    package func holder(ofKey key: String) throws(AdmissionError) -> KeyHolder? {
        guard case .accepted(let key, let tenant) = try known({ try directory.authenticate(key) }) else { return nil }
        return KeyHolder(tenant: tenant.id, key: key.id)
    }

    package func agent(named name: String, tenant: String) throws(AdmissionError) -> AgentVersion? {
        guard let version = try known({ try directory.agent(tenant: tenant, name: name) }) else { return nil }
        return AgentVersion(name: version.name, hash: version.hash, definition: version.definition)
    }

    package func agents(of tenant: String) -> [AgentVersion] {
        guard let snapshot = try? directory.snapshot() else { return [] }
        return snapshot.agentNames(tenant: tenant).compactMap { try? agent(named: $0, tenant: tenant) }
    }

    /// A key that cannot be looked up is not a bad key: the caller may try again.
    private func known<Value>(_ look: () throws -> Value) throws(AdmissionError) -> Value {
        do { return try look() } catch {
            throw AdmissionError(.unavailable, "keys and agents have not been read from PostgreSQL yet; try again in a few seconds")
        }
    }
}
