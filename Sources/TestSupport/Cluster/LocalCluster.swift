package import Foundation
import HTTPClient
import NIOCore
import NIOPosix
import Synchronization

/// A whole Parley of its own: Redis, session stores, archivers, media workers and dispatchers as real processes on free loopback ports, with
/// their data and logs in a temporary folder; where it is asked for with a replica of Redis, a PostgreSQL, and proxies in front of the servers.
/// For tests, benchmarks and chaos.
///
/// When the process that started it is gone, for whatever reason, all its processes are killed.
package final class LocalCluster: Sendable {
    package struct Options: Sendable {
        /// Where the executables are; without it, where the running one is.
        package var executables: URL?
        package var stores = 1
        package var workers = 1
        package var dispatchers = 1
        package var archivers = 0
        /// The agents by file name; with `postgresURL` they have to be pushed by the caller instead.
        package var agents: [String: String] = [:]
        /// A migrated database. Without it dispatchers serve `agents` to the holder of `LocalCluster.apiKey`.
        package var postgresURL: String?
        /// A second Redis that follows the first one.
        package var replica = false
        /// A PostgreSQL of its own, empty; `serverURL` leads to it, and whoever starts the cluster migrates it before the services start.
        package var postgres = false
        /// Its settings, by name. Nothing is to survive this machine: what has been written is safe from the death of processes.
        package var postgresSettings = ["fsync": "off"]
        /// Every service reaches Redis, PostgreSQL and the session stores through proxies of its own, which faults are played on.
        package var proxies = false
        /// libfaketime, so that the clock of a single process can be stepped; see `FakeClock`.
        package var fakeClock: FakeClock?
        /// Models and ONNX Runtime; without it `PARLEY_MODELS_DIR`, else `.local/models` of the checkout.
        package var models: String?
        /// Variables for every service, such as a provider's base URL and key.
        package var environment: [String: String] = [:]
        /// Variables for services by the beginning of their name, such as `media-worker`.
        package var serviceEnvironment: [String: [String: String]] = [:]
        /// Cores for processes by the beginning of their name; "" is every other one.
        package var cores: [String: Int] = [:]
        package init() {}
    }

    /// The API key of a cluster without a database.
    package static let apiKey = "parley_local_cluster0123456789"

    package let folder: URL
    package let redisURL: String
    let options: Options
    private let executables: URL
    private let ports: Mutex<[String: Int]>
    private let running = Mutex<[String: Process]>([:])
    let proxies = Mutex<[ProxyName: FaultProxy]>([:])
    /// The process that is Redis's primary now.
    let primary = Mutex("redis")
    private let reaper: Process
    private let reaperInput: Pipe

    /// Starts everything and returns when all services are ready. Throws `ClusterError` with the end of the log of the one that is not.
    package static func start(_ options: Options) async throws -> LocalCluster {
        let cluster = try prepare(options)
        do {
            try await cluster.startServers()
            try await cluster.startServices()
        } catch {
            await cluster.stop()
            throw error
        }
        return cluster
    }

    /// Starts all services and returns when they are ready; `startServers` comes first.
    package func startServices() async throws {
        for name in serviceNames { try launch(name) }
        for name in serviceNames { try await waitUntilReady(name) }
    }

    /// Chooses addresses and starts nothing; `launch` does, in any order.
    package static func prepare(_ options: Options) throws -> LocalCluster { try LocalCluster(options) }

    /// Names of the servers in the order of their start.
    package var serverNames: [String] { ["redis"] + (options.replica ? ["redis-replica"] : []) + (options.postgres ? ["postgres"] : []) }

    /// Names in the order of their start: `session-store-1`, ..., `archiver-1`, ..., `media-worker-1`, ..., `dispatcher-1`, ...
    package var serviceNames: [String] {
        [("session-store", options.stores), ("archiver", options.archivers), ("media-worker", options.workers),
            ("dispatcher", options.dispatchers)]
            .flatMap { kind, count in (0..<count).map { "\(kind)-\($0 + 1)" } }
    }

    /// The public address of a dispatcher, counted from 1.
    package func url(dispatcher: Int = 1) -> String { "http://127.0.0.1:\(port("dispatcher-\(dispatcher)"))" }

    /// The loopback port on which a service takes its work.
    package func servicePort(_ name: String) -> Int { port(name) }

    /// The operations address of a service: `/metrics`, `/readyz`.
    package func opsURL(_ name: String) -> String { "http://127.0.0.1:\(port("\(name).ops"))" }

    /// The process id of a running process.
    package func pid(_ name: String) -> Int32? { running.withLock { $0[name]?.processIdentifier } }

    package func log(_ name: String) -> String {
        (try? String(contentsOf: folder.appending(path: "\(name).log"), encoding: .utf8)) ?? ""
    }

    /// Copies all logs to a folder, over those that are there.
    package func keepLogs(in target: URL) throws {
        try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
        for name in serverNames + serviceNames {
            try log(name).write(to: target.appending(path: "\(name).log"), atomically: true, encoding: .utf8)
        }
    }

    /// Sends a signal: SIGKILL, SIGSTOP, SIGCONT, SIGTERM.
    package func signal(_ name: String, _ signal: Int32) { if let pid = pid(name) { kill(pid, signal) } }

    /// Waits for the end of a process that was told to end; nil when it has not ended by the deadline.
    package func waitForExit(_ name: String, seconds: Int = 30) async -> Int32? {
        guard let process = running.withLock({ $0[name] }) else { return nil }
        guard await poll(seconds: seconds, { !process.isRunning }) else { return nil }
        running.withLock { $0[name] = nil }
        return process.terminationStatus
    }

    /// Whether a process that was started runs now.
    package func isRunning(_ name: String) -> Bool { running.withLock { $0[name]?.isRunning ?? false } }

    /// Starts a server or a service, also again after it ended, with the same address.
    package func launch(_ name: String) throws {
        let process = Process()
        var (command, environment) = try command(for: name)
        let core = options.cores.filter { name.hasPrefix($0.key) }.max { $0.key.count < $1.key.count }?.value
        if let core { command = ["taskset", "-c", "\(core)"] + command }
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = command
        process.environment = environment
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        let log = folder.appending(path: "\(name).log")
        if !FileManager.default.fileExists(atPath: log.path) { _ = FileManager.default.createFile(atPath: log.path, contents: nil) }
        let output = try FileHandle(forWritingTo: log)
        try output.seekToEnd()
        process.standardOutput = output
        process.standardError = output
        try Self.run(process)
        try reaperInput.fileHandleForWriting.write(contentsOf: Data("\(process.processIdentifier)\n".utf8))
        running.withLock { $0[name] = process }
    }

    /// Runs a process with no signal blocked: the threads of Swift's own pool block most of them, and a child inherits that.
    private static func run(_ process: Process) throws {
        var none = sigset_t()
        var before = sigset_t()
        sigemptyset(&none)
        pthread_sigmask(SIG_SETMASK, &none, &before)
        defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
        try process.run()
    }

    /// Waits for `/readyz`.
    package func waitUntilReady(_ name: String, seconds: Int = 60) async throws {
        let url = opsURL(name) + "/readyz"
        let isReady = await poll(seconds: seconds) {
            if self.running.withLock({ $0[name]?.isRunning }) != true { return true }
            return await Self.get(url)?.status == 200
        }
        if isReady, running.withLock({ $0[name]?.isRunning }) == true { return }
        throw ClusterError("\(name) is not ready; its log ends with\n\(log(name).suffix(3_000))")
    }

    /// Status and body of a GET, nil where nobody answers.
    package static func get(_ url: String) async -> (status: Int, body: String)? {
        let request = HTTPRequest("GET", url, deadlines: HTTPDeadlines(connect: 1_000, firstByte: 3_000, total: 5_000))
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        guard let answer = try? await HTTPClient.shared.send(request, on: eventLoop) else { return nil }
        return (answer.head.status, String(buffer: answer.body))
    }

    /// Ends all processes and deletes the folder.
    package func stop() async {
        let all = running.withLock { Array($0) }
        let services = all.filter { !serverNames.contains($0.key) }.map(\.value)
        for process in services where process.isRunning {
            kill(process.processIdentifier, SIGCONT)
            kill(process.processIdentifier, SIGTERM)
        }
        _ = await poll(seconds: 10) { services.allSatisfy { !$0.isRunning } }
        for proxy in proxies.withLock({ Array($0.values) }) { await proxy.stop() }
        // The reaper kills what is left and deletes the folder.
        try? reaperInput.fileHandleForWriting.close()
        _ = await poll(seconds: 10) { !self.reaper.isRunning }
    }

    // MARK: Making

    /// Kills what was started and still runs. Numbers of processes that have ended may be somebody else's by now: what is ours works in our folder.
    private static let reaping = """
        pids=; while read -r pid; do pids="$pids $pid"; done
        for pid in $pids; do case "$(readlink "/proc/$pid/cwd")" in "$0" | "$0"/*) kill -9 "$pid" 2>/dev/null ;; esac; done
        rm -rf "$0"
        """

    private init(_ options: Options) throws {
        self.options = options
        executables = options.executables ?? URL(filePath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        folder = FileManager.default.temporaryDirectory.appending(path: "parley-cluster-\(UUID().uuidString.prefix(8))")
        try FileManager.default.createDirectory(at: folder.appending(path: "agents"), withIntermediateDirectories: true)
        for (name, text) in options.agents {
            try text.write(to: folder.appending(path: "agents/\(name)"), atomically: true, encoding: .utf8)
        }
        reaper = Process()
        reaperInput = Pipe()
        reaper.executableURL = URL(filePath: "/bin/sh")
        // Its standard input ends when this process does, even by SIGKILL.
        reaper.arguments = ["-c", Self.reaping, folder.path]
        reaper.standardInput = reaperInput
        reaper.standardOutput = FileHandle.nullDevice
        reaper.standardError = FileHandle.nullDevice
        try reaper.run()
        let redis = try Self.freePort()
        redisURL = "redis://127.0.0.1:\(redis)"
        ports = Mutex(["redis": redis])
    }

    func port(_ name: String) -> Int {
        ports.withLock { ports in
            if let port = ports[name] { return port }
            let port = (try? Self.freePort()) ?? 0
            ports[name] = port
            return port
        }
    }

    private func command(for name: String) throws -> ([String], [String: String]) {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        if serverNames.contains(name) { return (try serverCommand(name), ["PATH": path, "LC_ALL": "C.UTF-8"]) }
        let kind = String(name.prefix { !$0.isNumber }.dropLast())
        let executable = executables.appending(path: kind).path
        guard FileManager.default.isExecutableFile(atPath: executable) else {
            throw ClusterError("\(executable) is missing; build the package")
        }
        return ([executable], environment(of: name, kind: kind).merging(["PATH": path]) { own, _ in own })
    }

    private func environment(of name: String, kind: String) -> [String: String] {
        var environment = [
            "PARLEY_REDIS_URL": "redis://127.0.0.1:\(port("redis", for: name))", "PARLEY_TICKET_KEYS": "cluster:0123456789abcdef0123456789abcdef", "PARLEY_LOG_FORMAT": "json",
            "PARLEY_OPS_ADDRESS": "127.0.0.1:\(port("\(name).ops"))", "PARLEY_MODELS_DIR": modelsDirectory,
            "PARLEY_STORE_ADDRESS": (0..<options.stores).map { "127.0.0.1:\(port("session-store-\($0 + 1)", for: name))" }.joined(separator: ","),
        ]
        if let url = options.postgres ? serverURL(port: port("postgres", for: name)) : options.postgresURL {
            environment["PARLEY_POSTGRES_URL"] = url
        }
        if let clock = options.fakeClock { environment.merge(clock.environment(of: name, in: folder)) { $1 } }
        let address = "127.0.0.1:\(port(name))"
        switch kind {
        case "session-store": environment["PARLEY_STORE_LISTEN"] = address
        case "media-worker":
            environment["PARLEY_WORKER_LISTEN"] = address
            environment["PARLEY_WORKER_ID"] = name
        case "dispatcher":
            environment["PARLEY_LISTEN"] = address
            if options.postgresURL == nil, !options.postgres {
                environment["PARLEY_AGENTS_DIR"] = folder.appending(path: "agents").path
                environment["PARLEY_STATIC_API_KEY"] = Self.apiKey
            }
        default: break
        }
        environment.merge(options.environment) { $1 }
        for (prefix, variables) in options.serviceEnvironment where name.hasPrefix(prefix) { environment.merge(variables) { $1 } }
        return environment
    }

    private var modelsDirectory: String {
        if let models = options.models ?? ProcessInfo.processInfo.environment["PARLEY_MODELS_DIR"] { return models }
        let checkout = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../../.local/models")
        return checkout.standardizedFileURL.path
    }

    func poll(seconds: Int, _ condition: @Sendable () async -> Bool) async -> Bool {
        let end = ContinuousClock.now + .seconds(seconds)
        while !(await condition()) {
            guard ContinuousClock.now < end else { return false }
            try? await Task.sleep(for: .milliseconds(25))
        }
        return true
    }

    // MARK: Ports

    /// A port that nobody listens on now.
    package static func freePort() throws -> Int {
        let channel = try ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton).bind(host: "127.0.0.1", port: 0).wait()
        defer { try? channel.close().wait() }
        return channel.localAddress?.port ?? 0
    }
}

/// Why a cluster could not be started.
package struct ClusterError: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
