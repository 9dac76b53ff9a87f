import Foundation
package import Logging
import Migrations
package import PostgresClient

/// Databases for tests, each test its own, on the server that `PARLEY_TEST_POSTGRES_URL` names.
package enum TestPostgres {
    /// Tests that need a server are enabled by this.
    package static var isAvailable: Bool { url != nil }

    private static var url: String? {
        ProcessInfo.processInfo.environment["PARLEY_TEST_POSTGRES_URL"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Says nothing: a test looks at results.
    package static var quiet: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }

    /// Runs `body` with a new, empty database and drops it afterwards, whoever is still connected.
    package static func withDatabase(_ body: (PostgresConfiguration) async throws -> Void) async throws {
        guard let url else { throw PostgresError(.configuration, "PARLEY_TEST_POSTGRES_URL is not set") }
        let server = try PostgresConfiguration(url: url)
        let name = "parley_test_" + UUID().uuidString.lowercased().replacingOccurrences(of: "-", with: "")
        // template0, because the usual template may be in use by another test at this moment.
        try await administer(server, "CREATE DATABASE \(name) TEMPLATE template0 ENCODING 'UTF8'")
        do {
            try await body(server.with(database: name))
        } catch {
            try? await administer(server, "DROP DATABASE \(name) WITH (FORCE)")
            throw error
        }
        try await administer(server, "DROP DATABASE \(name) WITH (FORCE)")
    }

    /// The same with the schema of this checkout in it.
    package static func withMigratedDatabase(_ body: (PostgresConfiguration) async throws -> Void) async throws {
        let migrations = try Migration.load(directory: migrationsDirectory)
        try await withDatabase { configuration in
            _ = try await Migrator(configuration, migrations: migrations, logger: quiet).run()
            try await body(configuration)
        }
    }

    /// The repository's `migrations/`, found from this file.
    package static var migrationsDirectory: String { repository + "/migrations" }

    /// The repository's root.
    package static var repository: String {
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..").standardizedFileURL.path(
            percentEncoded: false
        ).trimmingSuffix("/")
    }

    private static func administer(_ server: PostgresConfiguration, _ sql: String) async throws {
        let connection = try await PostgresConnection.connect(server, logger: quiet)
        defer { connection.close() }
        try await connection.script(sql)
    }
}

extension String {
    fileprivate func trimmingSuffix(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}
