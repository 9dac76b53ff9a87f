import ClusterSupport
import Foundation
import Logging
import Migrations
import PostgresClient

/// A migrated database for a benchmark: of its own server, started for it, or a new one on a server that is there.
final class BenchPostgres: Sendable {
    /// Of the new database.
    let url: String
    private let server: PostgresConfiguration
    private let database: String
    private let process: Process?
    private let input: Pipe?

    /// - Parameter url: a server where databases may be made; nil starts one
    static func start(_ url: String?) async throws -> BenchPostgres {
        if let url { return try await BenchPostgres(url, nil, nil) }
        let port = try LocalCluster.freePort()
        let input = Pipe()
        let process = try launch(port, input)
        do {
            return try await BenchPostgres("postgresql://parley@127.0.0.1:\(port)/postgres", process, input)
        } catch {
            try? input.fileHandleForWriting.close()
            throw error
        }
    }

    private init(_ url: String, _ process: Process?, _ input: Pipe?) async throws {
        self.process = process
        self.input = input
        server = try PostgresConfiguration(url: url)
        database = "parley_bench_\(UInt32.random(in: .min ... .max))"
        guard var parts = URLComponents(string: url) else { throw CommandError("--postgres-url '\(url)' is no URL") }
        parts.path = "/" + database
        self.url = parts.string ?? url
        try await Self.administer(server, "CREATE DATABASE \(database)", patience: process == nil ? 1 : 300)
        let migrations = try Migration.load(directory: Self.migrations)
        _ = try await Migrator(server.with(database: database), migrations: migrations, logger: Self.quiet).run()
    }

    /// Drops the database, and ends the server that was started for it.
    func stop() async {
        guard let process else {
            try? await Self.administer(server, "DROP DATABASE \(database) WITH (FORCE)", patience: 1)
            return
        }
        try? input?.fileHandleForWriting.close()
        for _ in 0..<500 where process.isRunning { try? await Task.sleep(for: .milliseconds(20)) }
    }

    // MARK: The server

    /// The shell ends it and deletes its data when this process is gone, for whatever reason: then its standard input ends.
    private static let script = #"""
        set -e
        [ "$(id -u)" != 0 ] || { chown postgres "$0"; as="setpriv --reuid=postgres --regid=postgres --init-groups"; }
        $as "$1/initdb" -D "$0/data" -U parley --auth trust -E UTF8 --locale C.UTF-8 -N >"$0/initdb.log" 2>&1
        $as "$1/postgres" -D "$0/data" -p "$2" -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=50 \
            -c shared_buffers=512MB -c max_wal_size=4GB >"$0/postgres.log" 2>&1 &
        while read -r line; do :; done
        kill -INT $!
        wait $! || true
        rm -rf "$0"
        """#

    private static func launch(_ port: Int, _ input: Pipe) throws -> Process {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        guard let newest = versions.max(by: { (Int($0) ?? 0) < (Int($1) ?? 0) }) else {
            throw CommandError(
                "PostgreSQL's server is not installed; install the package postgresql, or give --postgres-url")
        }
        let folder = FileManager.default.temporaryDirectory.appending(
            path: "parley-bench-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", script, folder.path, "/usr/lib/postgresql/\(newest)/bin", "\(port)"]
        process.currentDirectoryURL = folder
        process.standardInput = input
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return process
    }

    // MARK: -

    /// - Parameter patience: attempts to connect, a tenth of a second apart
    private static func administer(_ server: PostgresConfiguration, _ sql: String, patience: Int) async throws {
        var attempts = 0
        while true {
            attempts += 1
            do {
                let connection = try await PostgresConnection.connect(server, logger: quiet)
                defer { connection.close() }
                _ = try await connection.script(sql)
                return
            } catch {
                guard attempts < patience else { throw error }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
    }

    static var quiet: Logger { Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() } }

    /// The checkout's, unless configured.
    private static var migrations: String {
        let configured = Migration.directory(environment: ProcessInfo.processInfo.environment)
        if FileManager.default.fileExists(atPath: configured) { return configured }
        return URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../migrations")
            .standardizedFileURL.path
    }
}
