package import Cryptography
import Foundation
package import PostgresClient

/// The directory in PostgreSQL: what commands change, and what snapshots are read from.
package struct DirectoryStore: Sendable {
    private let pool: PostgresPool

    /// Bytes of an agent's definition.
    package static let definitionLimit = 256 * 1024

    package init(_ pool: PostgresPool) {
        self.pool = pool
    }

    // MARK: - Tenants

    /// - Throws: `DirectoryError` with code `exists` or `invalid`.
    package func createTenant(_ id: String, name: String, limits: [String: Double] = [:]) async throws -> Tenant {
        guard id.wholeMatch(of: /[a-z0-9][a-z0-9_-]{0,62}/) != nil else {
            throw DirectoryError(
                .invalid, "'\(id)' is no tenant: use lower-case letters, digits, hyphens and underscores, at most 63")
        }
        let answer = try await pool.query(
            "INSERT INTO parley.tenants (tenant, name, limits) VALUES ($1, $2, $3::jsonb) ON CONFLICT DO NOTHING",
            [.text(id), .text(name), .text(try Self.json(limits))])
        guard answer.affected == 1 else { throw DirectoryError(.exists, "there is a tenant '\(id)' already") }
        return Tenant(id: id, name: name, limits: limits)
    }

    /// Existing sessions go on; new ones are refused while it is disabled.
    ///
    /// - Throws: `DirectoryError` with code `notFound`.
    package func setTenant(_ id: String, isDisabled: Bool) async throws {
        let answer = try await pool.query(
            "UPDATE parley.tenants SET disabled_at = CASE WHEN $2::boolean THEN coalesce(disabled_at, now()) END WHERE tenant = $1",
            [.text(id), .bool(isDisabled)])
        guard answer.affected == 1 else { throw Self.noTenant(id) }
    }

    // MARK: - Keys

    /// Makes a key. The secret is in the answer and nowhere else; it cannot be shown again.
    ///
    /// - Throws: `DirectoryError` with code `notFound` when there is no such tenant.
    package func createKey(
        tenant: String, name: String, scopes: Set<String>, limits: [String: Double] = [:]
    ) async throws -> (key: APIKey, secret: Secret) {
        let made = try APIKeyText.make()
        let hash = try SHA256.hash(made.text.utf8)
        try await naming(tenant) {
            try await pool.query(
                """
                INSERT INTO parley.api_keys (key_id, tenant, name, prefix, hash, scopes, limits)
                VALUES ($1, $2, $3, $4, $5, $6, $7::jsonb)
                """,
                [
                    .text(made.id), .text(tenant), .text(name), .text(made.prefix), .bytes(hash),
                    .texts(scopes.sorted()), .text(try Self.json(limits)),
                ])
        }
        let key = APIKey(
            id: made.id, tenant: tenant, name: name, prefix: made.prefix, scopes: scopes, limits: limits,
            isRevoked: false, hash: hash)
        return (key, Secret(made.text))
    }

    /// Takes effect at every dispatcher within its refresh interval. Revoking twice changes nothing.
    ///
    /// - Throws: `DirectoryError` with code `notFound` when the tenant has no such key.
    package func revokeKey(_ id: String, tenant: String) async throws {
        let answer = try await pool.query(
            "UPDATE parley.api_keys SET revoked_at = coalesce(revoked_at, now()) WHERE key_id = $1 AND tenant = $2",
            [.text(id), .text(tenant)])
        guard answer.affected == 1 else { throw DirectoryError(.notFound, "tenant '\(tenant)' has no key '\(id)'") }
    }

    /// All keys of a tenant, revoked ones included, oldest first.
    package func keys(tenant: String) async throws -> [APIKey] {
        try await pool.query("\(Self.selectKeys) WHERE tenant = $1 ORDER BY created_at, key_id", [.text(tenant)])
            .map(Self.key)
    }

    // MARK: - Agents

    /// Stores a definition and makes it the agent's current version. The same definition again changes nothing.
    ///
    /// - Throws: `DirectoryError` with code `notFound` when there is no such tenant, `invalid` for a name or size.
    package func pushAgent(tenant: String, name: String, definition: String) async throws -> AgentVersion {
        guard name.wholeMatch(of: /[A-Za-z0-9][A-Za-z0-9._-]{0,127}/) != nil else {
            throw DirectoryError(
                .invalid, "'\(name)' is no name for an agent: use letters, digits, '.', '_' and '-', at most 128")
        }
        guard definition.utf8.count <= Self.definitionLimit else {
            throw DirectoryError(
                .invalid,
                "the definition of '\(name)' has \(definition.utf8.count) bytes; at most \(Self.definitionLimit) are allowed"
            )
        }
        let version = AgentVersion(tenant: tenant, name: name, hash: try SHA256.hex(definition), definition: definition)
        try await naming(tenant) {
            try await pool.withConnection { connection in
                try await connection.pipeline([
                    PostgresStatement(
                        """
                        INSERT INTO parley.agent_versions (tenant, hash, name, definition) VALUES ($1, $2, $3, $4)
                        ON CONFLICT DO NOTHING
                        """, [.text(tenant), .text(version.hash), .text(name), .text(definition)]),
                    PostgresStatement(
                        """
                        INSERT INTO parley.agents (tenant, name, hash) VALUES ($1, $2, $3)
                        ON CONFLICT (tenant, name) DO UPDATE SET hash = excluded.hash, updated_at = now()
                        WHERE agents.hash <> excluded.hash
                        """, [.text(tenant), .text(name), .text(version.hash)]),
                ])
            }
        }
        return version
    }

    /// Any version ever stored, whether current or not; nil when there is none.
    package func agent(tenant: String, hash: String) async throws -> AgentVersion? {
        try await pool.query(
            "SELECT tenant, name, hash, definition FROM parley.agent_versions WHERE tenant = $1 AND hash = $2",
            [.text(tenant), .text(hash)]
        ).first.map(Self.agent)
    }

    // MARK: - Snapshots

    /// The number that every change raises.
    package func version() async throws -> Int64 {
        guard let row = try await pool.query("SELECT version FROM parley.directory_version").first else {
            throw DirectoryError(.unavailable, "parley.directory_version is empty; run `parley migrate`")
        }
        return try row.decode("version")
    }

    /// Everything, consistent: all queries see the same moment.
    package func snapshot() async throws -> DirectorySnapshot {
        let answers = try await pool.withConnection { connection in
            try await connection.pipeline([
                PostgresStatement("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"),
                PostgresStatement("SELECT version FROM parley.directory_version"),
                PostgresStatement(
                    "SELECT tenant, name, limits::text AS limits, disabled_at IS NOT NULL AS is_disabled FROM parley.tenants"
                ),
                PostgresStatement(Self.selectKeys),
                PostgresStatement(
                    """
                    SELECT a.tenant, a.name, a.hash, v.definition
                    FROM parley.agents a JOIN parley.agent_versions v ON v.tenant = a.tenant AND v.hash = a.hash
                    """),
                PostgresStatement("COMMIT"),
            ])
        }
        guard let version = answers[1].first else {
            throw DirectoryError(.unavailable, "parley.directory_version is empty; run `parley migrate`")
        }
        return DirectorySnapshot(
            version: try version.decode("version"), tenants: try answers[2].map(Self.tenant),
            keys: try answers[3].map(Self.key), agents: try answers[4].map(Self.agent))
    }

    // MARK: - Rows

    private static let selectKeys = """
        SELECT key_id, tenant, name, prefix, hash, scopes, limits::text AS limits, revoked_at IS NOT NULL AS is_revoked
        FROM parley.api_keys
        """

    private static func tenant(_ row: PostgresRow) throws -> Tenant {
        Tenant(
            id: try row.decode("tenant"), name: try row.decode("name"), limits: try limits(row),
            isDisabled: try row.decode("is_disabled"))
    }

    private static func key(_ row: PostgresRow) throws -> APIKey {
        APIKey(
            id: try row.decode("key_id"), tenant: try row.decode("tenant"), name: try row.decode("name"),
            prefix: try row.decode("prefix"), scopes: Set(try row.decode("scopes", as: [String].self)),
            limits: try limits(row), isRevoked: try row.decode("is_revoked"), hash: try row.decode("hash"))
    }

    private static func agent(_ row: PostgresRow) throws -> AgentVersion {
        AgentVersion(
            tenant: try row.decode("tenant"), name: try row.decode("name"), hash: try row.decode("hash"),
            definition: try row.decode("definition"))
    }

    /// Limits that are no numbers are refused loudly: passing them over would mean no limit.
    private static func limits(_ row: PostgresRow) throws -> [String: Double] {
        let text: String = try row.decode("limits")
        do {
            return try JSONDecoder().decode([String: Double].self, from: Data(text.utf8))
        } catch {
            throw DirectoryError(.invalid, "the limits '\(text)' are not a JSON object of numbers", cause: error)
        }
    }

    private static func json(_ limits: [String: Double]) throws -> String {
        String(decoding: try JSONEncoder().encode(limits), as: UTF8.self)
    }

    private static func noTenant(_ id: String) -> DirectoryError {
        DirectoryError(.notFound, "there is no tenant '\(id)'; create it with `parley tenants create`")
    }

    /// A broken foreign key here means that the tenant does not exist.
    private func naming<Value>(_ tenant: String, _ body: () async throws -> Value) async throws {
        do {
            _ = try await body()
        } catch let error as PostgresError where error.sqlState == SQLState(rawValue: "23503") {
            throw Self.noTenant(tenant)
        }
    }
}
