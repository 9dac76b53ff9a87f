import ArgumentParser
import Foundation
import Logging
import Migrations
import PostgresClient

/// `parley migrate`: brings the database's schema up to date.
struct MigrateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Applies the migrations that PostgreSQL does not have yet.",
        discussion: "Reads PARLEY_POSTGRES_URL and PARLEY_MIGRATIONS_DIR (default: ./migrations). Safe to run several times at once.")

    func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let migrations = try Migration.load(directory: Migration.directory(environment: environment))
        let migrator = Migrator(
            try PostgresConfiguration(environment: environment), migrations: migrations, logger: Logger(label: "parley"))
        let applied = try await migrator.run()
        for migration in applied { print("applied \(migration.file)") }
        print(applied.isEmpty ? "the schema is up to date (\(migrations.count) migrations)" : "applied \(applied.count) migrations")
    }
}
