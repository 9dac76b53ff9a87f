import Cryptography
import Foundation
import PostgresClient
import TenantDirectory
import TestDatabases

/// A migrated database of a test's own, with a tenant's key and agents in it.
struct Database {
    /// An API key of the tenant `local`.
    let key: String
    private let name: String
    private let pool: PostgresPool

    static func with(agents: [String: String], _ body: (Database) async throws -> Void) async throws {
        try await TestPostgres.withMigratedDatabase { configuration in
            let pool = PostgresPool(configuration, logger: TestPostgres.quiet)
            defer { pool.close() }
            let store = DirectoryStore(pool)
            if try await pool.query("SELECT 1 FROM parley.tenants WHERE tenant = 'local'").count == 0 {
                _ = try await store.createTenant("local", name: "Local")
            }
            for (name, definition) in agents {
                _ = try await store.pushAgent(tenant: "local", name: name, definition: definition)
            }
            let key = try await store.createKey(tenant: "local", name: "test", scopes: ["sessions"]).secret.revealed
            let name: String = try await pool.query("SELECT current_database() AS name")[0].decode("name")
            try await body(Database(key: key, name: name, pool: pool))
        }
    }

    private func components() throws -> URLComponents {
        let url = ProcessInfo.processInfo.environment["PARLEY_TEST_POSTGRES_URL"] ?? ""
        guard var components = URLComponents(string: url) else {
            throw Unfulfilled(description: "PARLEY_TEST_POSTGRES_URL is no URL")
        }
        components.path = "/" + name
        return components
    }

    /// Its URL; with another port where one is given.
    func url(port: Int? = nil) throws -> String {
        var components = try components()
        if let port { components.port = port }
        return components.string ?? ""
    }

    /// The server's port.
    var port: Int { get throws { try components().port ?? 5_432 } }

    /// Texts of a query's rows, their columns separated by bars.
    func rows(_ sql: String) async throws -> [String] {
        try await pool.query(sql).map { row in row.texts.map { $0 ?? "" }.joined(separator: "|") }
    }

    /// Waits until so many conversations are archived to their end.
    func closedConversations(_ count: Int) async throws {
        try await eventually("\(count) conversations that are closed in PostgreSQL") {
            (try? await rows("SELECT count(*) FROM parley.conversations WHERE closed_at IS NOT NULL")) == ["\(count)"]
        }
    }
}
