import Cryptography
import PostgresClient
import Resilience
import Telemetry
import TestDatabases
import Testing

@testable import TenantDirectory

@Suite struct DirectorySnapshotTests {
    private func key(_ id: String, _ text: String, tenant: String = "acme", isRevoked: Bool = false) throws -> APIKey {
        APIKey(
            id: id, tenant: tenant, name: "n", prefix: "parley_\(id)", scopes: ["sessions"], limits: [:],
            isRevoked: isRevoked, hash: try SHA256.hash(text.utf8))
    }

    private func snapshot() throws -> DirectorySnapshot {
        DirectorySnapshot(
            version: 1,
            tenants: [Tenant(id: "acme", name: "Acme"), Tenant(id: "gone", name: "Gone", isDisabled: true)],
            keys: [
                try key("a", "parley_a_right"), try key("r", "parley_r_right", isRevoked: true),
                try key("d", "parley_d_right", tenant: "gone"),
            ],
            agents: [AgentVersion(tenant: "acme", name: "sales", hash: "h", definition: "x")])
    }

    @Test(
        arguments: [
            ("parley_a_wrong", DirectorySnapshot.Refusal.unknown), ("parley_x_right", .unknown),
            ("parley_r_right", .revoked), ("parley_d_right", .tenantDisabled), ("", .malformed),
            ("parley_a", .malformed),
            ("other_a_right", .malformed), ("parley_a_" + String(repeating: "x", count: 300), .malformed),
        ])
    func keysAreRefused(_ text: String, _ reason: DirectorySnapshot.Refusal) throws {
        #expect(try snapshot().authenticate(text) == .refused(reason))
    }

    @Test func theRightKeyNamesItsTenant() throws {
        guard case .accepted(let key, let tenant) = try snapshot().authenticate("parley_a_right") else {
            Issue.record("refused")
            return
        }
        #expect(key.id == "a")
        #expect(tenant.id == "acme")
    }

    @Test func agentsBelongToTheirTenant() throws {
        #expect(try snapshot().agent(tenant: "acme", name: "sales")?.hash == "h")
        #expect(try snapshot().agent(tenant: "gone", name: "sales") == nil)
        #expect(try snapshot().agentNames(tenant: "acme") == ["sales"])
    }
}

@Suite(.enabled(if: TestPostgres.isAvailable, "set PARLEY_TEST_POSTGRES_URL"))
struct TenantDirectoryTests {
    private func withDirectory(
        _ body: (DirectoryStore, TenantDirectory, PostgresPool, ManualClock) async throws -> Void
    ) async throws {
        try await TestPostgres.withMigratedDatabase { configuration in
            let pool = PostgresPool(configuration, logger: TestPostgres.quiet)
            defer { pool.close() }
            let clock = ManualClock()
            let directory = TenantDirectory(pool, metrics: MetricsRegistry(), logger: TestPostgres.quiet, clock: clock)
            try await body(DirectoryStore(pool), directory, pool, clock)
        }
    }

    @Test func aCreatedKeyIsAcceptedUntilItIsRevoked() async throws {
        try await withDirectory { store, directory, pool, _ in
            let tenant = try await store.createTenant("acme", name: "Acme", limits: ["concurrent_sessions": 5])
            let (key, secret) = try await store.createKey(
                tenant: "acme", name: "web", scopes: ["sessions", "agents"], limits: ["sessions_per_minute": 60])
            try await directory.refresh()
            #expect(try directory.authenticate(secret.revealed) == .accepted(key, tenant))
            try await store.revokeKey(key.id, tenant: "acme")
            try await directory.refresh()
            #expect(try directory.authenticate(secret.revealed) == .refused(.revoked))
            let rows = try await pool.query("SELECT row_to_json(k)::text AS json FROM parley.api_keys k")
            let stored: String = try rows[0].decode("json")
            #expect(!stored.contains(secret.revealed.suffix(20)))
        }
    }

    @Test func pushingAnAgentMakesAVersionAndMovesTheName() async throws {
        try await withDirectory { store, directory, _, _ in
            _ = try await store.createTenant("acme", name: "Acme")
            let first = try await store.pushAgent(tenant: "acme", name: "sales", definition: "name: one")
            let again = try await store.pushAgent(tenant: "acme", name: "sales", definition: "name: one")
            #expect(first == again)
            #expect(first.hash == (try SHA256.hex("name: one")))
            let second = try await store.pushAgent(tenant: "acme", name: "sales", definition: "name: two")
            try await directory.refresh()
            #expect(try directory.agent(tenant: "acme", name: "sales") == second)
            let old = try await directory.agent(tenant: "acme", hash: first.hash)
            #expect(old == first)
            let foreign = try await directory.agent(tenant: "other", hash: first.hash)
            #expect(foreign == nil)
        }
    }

    @Test func whatDoesNotExistIsNamed() async throws {
        try await withDirectory { store, _, _, _ in
            let noTenant = await #expect(throws: DirectoryError.self) {
                try await store.pushAgent(tenant: "nobody", name: "sales", definition: "x")
            }
            #expect(noTenant?.code == .notFound)
            #expect(noTenant?.message.contains("nobody") == true)
            let badName = await #expect(throws: DirectoryError.self) {
                try await store.createTenant("Not OK", name: "x")
            }
            #expect(badName?.code == .invalid)
            _ = try await store.createTenant("acme", name: "Acme")
            let twice = await #expect(throws: DirectoryError.self) {
                try await store.createTenant("acme", name: "Acme")
            }
            #expect(twice?.code == .exists)
        }
    }

    @Test func theLastCopyIsServedWhilePostgresIsAway() async throws {
        try await withDirectory { store, directory, pool, clock in
            _ = try await store.createTenant("acme", name: "Acme")
            #expect(throws: DirectoryError.self) { try directory.snapshot() }
            #expect(!directory.isFresh)
            try await directory.refresh()
            #expect(directory.isFresh)
            pool.close()
            clock.advance(by: .seconds(60))
            await #expect(throws: (any Error).self) { try await directory.refresh() }
            #expect(try directory.snapshot().tenant("acme") != nil)
            #expect(!directory.isFresh)
            #expect(directory.age == .seconds(60))
        }
    }

    @Test func anUnchangedDirectoryIsConfirmedWithoutReadingItAgain() async throws {
        try await withDirectory { store, directory, pool, clock in
            _ = try await store.createTenant("acme", name: "Acme")
            try await directory.refresh()
            let version = try directory.snapshot().version
            clock.advance(by: .seconds(60))
            try await directory.refresh()
            #expect(directory.age == .zero)
            #expect(try directory.snapshot().version == version)
            try await pool.query("UPDATE parley.tenants SET name = 'Other'")
            try await directory.refresh()
            #expect(try directory.snapshot().tenant("acme")?.name == "Other")
        }
    }
}
