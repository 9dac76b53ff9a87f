import Cryptography
import Foundation

/// One file of `migrations/`: a numbered step that is applied once and never changed afterwards.
package struct Migration: Sendable, Equatable {
    /// From the file's name; steps are applied in this order.
    package let number: Int
    /// The file's name, for instance `0001_tenants.sql`.
    package let file: String
    package let sql: String
    /// SHA-256 of the file, in hexadecimal.
    package let checksum: String

    /// - Throws: `MigrationError` with code `invalidFiles` unless the name is four digits, an underscore, a name of lower-case
    ///   letters, digits and underscores, and `.sql`.
    package init(file: String, sql: String) throws {
        guard let match = file.wholeMatch(of: /([0-9]{4})_[a-z0-9_]+\.sql/), let number = Int(match.1) else {
            throw MigrationError(.invalidFiles, "'\(file)' is not named like 0001_what_it_does.sql")
        }
        self.number = number
        self.file = file
        self.sql = sql
        checksum = try SHA256.hex(sql)
    }

    /// All migrations of a folder, by number. Files that do not end in `.sql` are passed over.
    ///
    /// - Throws: `MigrationError` with code `invalidFiles`, naming the file.
    package static func load(directory: String) throws -> [Migration] {
        let names: [String]
        do {
            names = try FileManager.default.contentsOfDirectory(atPath: directory)
        } catch {
            throw MigrationError(
                .invalidFiles,
                "the migrations' folder '\(directory)' cannot be read; set PARLEY_MIGRATIONS_DIR to where it is",
                cause: error)
        }
        let migrations = try names.filter { $0.hasSuffix(".sql") }.map { name in
            let path = "\(directory)/\(name)"
            do {
                return try Migration(file: name, sql: try String(contentsOfFile: path, encoding: .utf8))
            } catch let error as MigrationError {
                throw error
            } catch {
                throw MigrationError(.invalidFiles, "'\(path)' cannot be read as UTF-8 text", cause: error)
            }
        }
        return try ordered(migrations, in: directory)
    }

    /// Where the files are: `PARLEY_MIGRATIONS_DIR`, otherwise `migrations` in the working folder.
    package static func directory(environment: [String: String]) -> String {
        environment["PARLEY_MIGRATIONS_DIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "migrations"
    }

    private static func ordered(_ migrations: [Migration], in directory: String) throws -> [Migration] {
        guard !migrations.isEmpty else {
            throw MigrationError(.invalidFiles, "there are no migrations in '\(directory)'")
        }
        let sorted = migrations.sorted { $0.number < $1.number }
        for (first, second) in zip(sorted, sorted.dropFirst()) where first.number == second.number {
            throw MigrationError(.invalidFiles, "'\(first.file)' and '\(second.file)' have the same number")
        }
        return sorted
    }
}
