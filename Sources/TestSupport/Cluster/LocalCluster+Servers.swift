import Foundation
import Synchronization

/// Redis, its replica and PostgreSQL.
extension LocalCluster {
    /// Starts Redis, and the replica, PostgreSQL and proxies where they are asked for; returns when they answer.
    package func startServers() async throws {
        if options.proxies { try await startProxies() }
        for name in serverNames { try launch(name) }
        for name in serverNames { try await waitForServer(name) }
        if options.replica { try await waitForReplica() }
    }

    /// Waits until a server answers.
    package func waitForServer(_ name: String, seconds: Int = 60) async throws {
        let answers = await poll(seconds: seconds) {
            guard self.isRunning(name) else { return false }
            if name == "postgres" {
                return await self.run("pg_isready", ["-q", "-h", "127.0.0.1", "-p", "\(self.port(name))"]).status == 0
            }
            return await self.redis(name, ["ping"]) == "PONG"
        }
        guard answers else {
            throw ClusterError("\(name) does not answer; its log ends with\n\(log(name).suffix(2_000))")
        }
    }

    /// Starts a server or service that has ended and waits until it answers or is ready. PostgreSQL that was killed
    /// needs a moment until its memory is free.
    package func restart(_ name: String) async throws {
        guard serverNames.contains(name) else {
            try launch(name)
            return try await waitUntilReady(name)
        }
        for _ in 0..<20 {
            try launch(name)
            if await poll(seconds: 1, { !self.isRunning(name) }) { continue }
            return try await waitForServer(name)
        }
        throw ClusterError("\(name) ends whenever it is started; its log ends with\n\(log(name).suffix(2_000))")
    }

    /// PostgreSQL's address for whoever is not a service of the cluster: no proxy lies before it.
    package var serverURL: String { serverURL(port: port("postgres")) }

    /// The name of the Redis that is the primary now.
    package var primaryRedis: String { primary.withLock { $0 } }

    func serverURL(port: Int) -> String { "postgresql://parley@127.0.0.1:\(port)/postgres" }

    /// What Redis answers to a command, as redis-cli prints it; "" where it does not answer.
    package func redis(_ name: String, _ command: [String]) async -> String {
        await run("redis-cli", ["-h", "127.0.0.1", "-p", "\(port(name))"] + command).output.trimmingCharacters(
            in: .whitespacesAndNewlines)
    }

    /// The replica becomes the primary, everybody is led there, and the former primary is cut off: what it had not
    /// passed on is lost. `follow` makes it the new one's replica.
    package func promoteReplica() async throws {
        let (old, new) = primary.withLock { now in
            let old = now
            now = old == "redis" ? "redis-replica" : "redis"
            return (old, now)
        }
        guard await redis(new, ["replicaof", "no", "one"]) == "OK" else {
            throw ClusterError("\(new) cannot be promoted")
        }
        for proxy in proxies(of: "redis") {
            await proxy.redirect(to: port(new))
            await proxy.reset()
        }
        signal(old, SIGKILL)
        _ = await waitForExit(old)
    }

    /// Starts the Redis that is not the primary as its replica; nothing of its own data is kept.
    package func follow() async throws {
        let now = primary.withLock { $0 }
        let other = now == "redis" ? "redis-replica" : "redis"
        if !isRunning(other) { try await restart(other) }
        _ = await redis(other, ["replicaof", "127.0.0.1", "\(port(now))"])
        try await waitForReplica()
    }

    /// Kills the primary and cuts the end of its append-only file off, as a crash of the machine does. Returns the
    /// bytes cut.
    package func cutAppendOnlyFile(bytes: Int) async throws -> Int {
        let name = primary.withLock { $0 }
        signal(name, SIGKILL)
        _ = await waitForExit(name)
        let directory = dataFolder(name).appending(path: "appendonlydir")
        let files = try FileManager.default.contentsOfDirectory(atPath: directory.path).filter {
            $0.hasSuffix(".incr.aof")
        }
        guard let file = files.max(by: { $0.count == $1.count ? $0 < $1 : $0.count < $1.count }) else { return 0 }
        let handle = try FileHandle(forUpdating: directory.appending(path: file))
        let length = try handle.seekToEnd()
        let cut = min(UInt64(bytes), length)
        try handle.truncate(atOffset: length - cut)
        try handle.close()
        return Int(cut)
    }

    // MARK: Commands

    func serverCommand(_ name: String) throws -> [String] {
        if name == "postgres" { return try postgresCommand() }
        let folder = dataFolder(name)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var command = [
            "redis-server", "--port", "\(port(name))", "--bind", "127.0.0.1", "--dir", folder.path, "--save", "",
            "--appendonly", "yes",
            "--appendfsync", "everysec", "--repl-diskless-sync-delay", "0", "--shutdown-timeout", "0",
        ]
        let now = primary.withLock { $0 }
        if name != now { command += ["--replicaof", "127.0.0.1 \(port(now))"] }
        return command
    }

    private func dataFolder(_ name: String) -> URL { folder.appending(path: name) }

    private func waitForReplica() async throws {
        let other = primary.withLock { $0 == "redis" ? "redis-replica" : "redis" }
        guard
            await poll(
                seconds: 30, { await self.redis(other, ["info", "replication"]).contains("master_link_status:up") })
        else {
            throw ClusterError("\(other) does not follow; its log ends with\n\(log(other).suffix(2_000))")
        }
    }

    /// PostgreSQL refuses to run as root: then it runs as its own user.
    private func postgresCommand() throws -> [String] {
        let bin = try Self.postgresPrograms()
        let data = dataFolder("postgres")
        let prefix = geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"] : []
        if !FileManager.default.fileExists(atPath: data.appending(path: "PG_VERSION").path) {
            try createDatabase(bin, data, prefix)
        }
        let settings = ["listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "100"]
            .merging(options.postgresSettings) { $1 }
        return prefix + ["\(bin)/postgres", "-D", data.path, "-p", "\(port("postgres"))"]
            + settings.sorted { $0.key < $1.key }.flatMap { ["-c", "\($0.key)=\($0.value)"] }
    }

    private func createDatabase(_ bin: String, _ data: URL, _ prefix: [String]) throws {
        try FileManager.default.createDirectory(
            at: data, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        if !prefix.isEmpty, try Self.wait(for: ["chown", "postgres:postgres", data.path]) != 0 {
            throw ClusterError("there is no user postgres to run PostgreSQL as; install the package postgresql")
        }
        // It listens on the loopback interface only and holds the data of a test.
        let initialise = [
            "\(bin)/initdb", "-D", data.path, "-U", "parley", "--auth", "trust", "-E", "UTF8", "--locale", "C.UTF-8",
            "-N",
        ]
        guard try Self.wait(for: prefix + initialise) == 0 else { throw ClusterError("initdb failed in \(data.path)") }
    }

    /// The programs of the newest PostgreSQL of this machine. Throws where there is none.
    package static func postgresPrograms() throws -> String {
        let versions = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib/postgresql")) ?? []
        let bins = versions.sorted { (Int($0) ?? 0) < (Int($1) ?? 0) }.map { "/usr/lib/postgresql/\($0)/bin" }
        guard let bin = bins.last(where: { FileManager.default.isExecutableFile(atPath: "\($0)/postgres") }) else {
            throw ClusterError("PostgreSQL's server is not installed; install the package postgresql")
        }
        return bin
    }

    private static func wait(for command: [String]) throws -> Int32 {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        process.currentDirectoryURL = URL(filePath: "/")
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    private func run(_ command: String, _ arguments: [String]) async -> (status: Int32, output: String) {
        let process = Process()
        let pipe = Pipe()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["timeout", "5", command] + arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        return await withCheckedContinuation { continuation in
            process.terminationHandler = { process in
                // What these commands print fits into a pipe.
                let output = (try? pipe.fileHandleForReading.readToEnd()) ?? Data()
                continuation.resume(returning: (process.terminationStatus, String(decoding: output, as: UTF8.self)))
            }
            do { try process.run() } catch { continuation.resume(returning: (127, "")) }
        }
    }
}
