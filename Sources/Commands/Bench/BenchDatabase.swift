import Foundation
import Logging
import Migrations
import PostgresClient

/// The database of a benchmark.
enum BenchDatabase {
    static var quiet: Logger { Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() } }

    /// Runs `body` with the URL of a new, empty database on a server that is there, and drops it afterwards.
    static func with(server url: String, _ body: (String) async throws -> Void) async throws {
        let server = try PostgresConfiguration(url: url)
        let name = "parley_bench_\(UInt32.random(in: .min ... .max))"
        guard var parts = URLComponents(string: url) else { throw CommandError("--postgres-url '\(url)' is no URL") }
        parts.path = "/" + name
        try await administer(server, "CREATE DATABASE \(name)")
        do {
            try await body(parts.string ?? url)
        } catch {
            try? await administer(server, "DROP DATABASE \(name) WITH (FORCE)")
            throw error
        }
        try await administer(server, "DROP DATABASE \(name) WITH (FORCE)")
    }

    /// Brings the schema of this checkout, or the one that is configured, into an empty database.
    static func migrate(_ configuration: PostgresConfiguration) async throws {
        let configured = Migration.directory(environment: ProcessInfo.processInfo.environment)
        let isThere = FileManager.default.fileExists(atPath: configured)
        let migrations = try Migration.load(directory: isThere ? configured : Chaos.migrationsDirectory)
        _ = try await Migrator(configuration, migrations: migrations, logger: quiet).run()
    }

    private static func administer(_ server: PostgresConfiguration, _ sql: String) async throws {
        let connection = try await PostgresConnection.connect(server, logger: quiet)
        defer { connection.close() }
        try await connection.script(sql)
    }
}
