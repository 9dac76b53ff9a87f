package import Cryptography
import Foundation
package import LiveKitProtocol
import NIOCore
import NIOPosix
import Synchronization

/// A `livekit-server` of the test's own, on loopback addresses and free ports; or one that is there already.
package final class RealLiveKitServer: Sendable {
    /// Where it was found on the PATH; nil on most machines.
    private static let executable: String? = {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? ""
        return path.split(separator: ":").map { "\($0)/livekit-server" }.first {
            FileManager.default.isExecutableFile(atPath: $0)
        }
    }()

    /// Whether tests can start one.
    package static var isAvailable: Bool { executable != nil }
    /// For tests that are skipped without.
    package static let absence: String =
        "livekit-server is not on the PATH; nothing here was tested against a real server"

    /// The server that `LIVEKIT_URL`, `LIVEKIT_API_KEY` and `LIVEKIT_API_SECRET` name, for tests that need no server of their own.
    private static let named: LiveKitCredentials? = {
        let environment = ProcessInfo.processInfo.environment
        guard let url = environment["LIVEKIT_URL"], let key = environment["LIVEKIT_API_KEY"], let secret = environment["LIVEKIT_API_SECRET"]
        else { return nil }
        return try? LiveKitCredentials(url: url, apiKey: key, secret: Secret(secret))
    }()

    /// Whether there is a server that is named, or one can be started.
    package static var isReachable: Bool { named != nil || isAvailable }

    private static let configurationName = "livekit.yaml"

    package let credentials: LiveKitCredentials
    private let folder: URL?
    /// Nil for a server that somebody else runs.
    private let process: Mutex<ServerProcess?>

    package var url: String { credentials.url.webSocket }
    package var key: String { credentials.apiKey }
    package var secret: Secret { credentials.secret }

    /// Runs `body` with a server and stops it whatever happens.
    package static func with<Result>(
        webhooks: [String] = [], _ body: (RealLiveKitServer) async throws -> Result
    ) async throws -> Result {
        let server = try await start(webhooks: webhooks)
        do {
            let result = try await body(server)
            await server.stop()
            return result
        } catch {
            await server.stop()
            throw error
        }
    }

    /// The server that is named, or else one that is started; what it has besides the caller's rooms is nobody's business.
    package static func namedOrStarted() async throws -> RealLiveKitServer {
        if let named { return RealLiveKitServer(named, nil, nil) }
        return try await start()
    }

    /// Starts one and returns when it answers. It ends with this process at the latest.
    ///
    /// - Parameter webhooks: URLs that it sends events to.
    package static func start(webhooks: [String] = []) async throws -> RealLiveKitServer {
        let folder = FileManager.default.temporaryDirectory.appending(path: "parley-livekit-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let (port, secret) = (try await freePort(), try RandomBytes.token())
        let configuration = folder.appending(path: configurationName)
        // It holds the secret.
        let text = try await configurationText(port: port, secret: secret, webhooks: webhooks)
        _ = FileManager.default.createFile(
            atPath: configuration.path, contents: Data(text.utf8), attributes: [.posixPermissions: 0o600])
        let server = RealLiveKitServer(
            try LiveKitCredentials(url: "ws://127.0.0.1:\(port)", apiKey: "parleytest", secret: Secret(secret)), folder,
            try launch(in: folder))
        do {
            try await server.waitUntilReady()
            return server
        } catch {
            await server.stop()
            throw error
        }
    }

    private init(_ credentials: LiveKitCredentials, _ folder: URL?, _ process: ServerProcess?) {
        self.credentials = credentials
        self.folder = folder
        self.process = Mutex(process)
    }

    private static func launch(in folder: URL) throws -> ServerProcess {
        guard let executable else { throw Failure(description: absence) }
        let configuration = folder.appending(path: configurationName).path
        return try ServerProcess(executable, ["--config", configuration], log: folder.appending(path: "livekit.log"))
    }

    /// Ends it with all its rooms, and starts it again with the same address and key.
    package func restart() async throws {
        guard let folder else { throw Failure(description: "somebody else runs the LiveKit server") }
        await process.withLock { $0 }?.stop()
        let next = try Self.launch(in: folder)
        process.withLock { $0 = next }
        try await waitUntilReady()
    }

    /// Ends it, gracefully for a second, and removes its files.
    package func stop() async {
        await process.withLock { $0 }?.stop()
        if let folder { try? FileManager.default.removeItem(at: folder) }
    }

    /// The end of what it has logged.
    package var log: String {
        guard let folder else { return "" }
        return String((try? String(contentsOf: folder.appending(path: "livekit.log"), encoding: .utf8))?.suffix(4_000) ?? "")
    }

    /// The process, for tests that pause or kill it; 0 for a server that somebody else runs.
    package var processIdentifier: Int32 { process.withLock { $0?.identifier ?? 0 } }

    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private func waitUntilReady() async throws {
        let api = LiveKitServerAPI(credentials, eventLoop: MultiThreadedEventLoopGroup.singleton.any())
        for _ in 0..<200 {
            guard process.withLock({ $0?.isRunning }) != false else { break }
            if (try? await api.listRooms()) != nil { return }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw Failure(description: "livekit-server does not answer; its log ends with\n\(log)")
    }

    /// UDP on one port, no TCP for media (that would listen on all addresses) and no server beyond this machine.
    private static func configurationText(port: Int, secret: String, webhooks: [String]) async throws -> String {
        let hooks =
            webhooks.isEmpty ? "" : "webhook:\n  api_key: parleytest\n  urls: [\(webhooks.joined(separator: ", "))]\n"
        return """
            port: \(port)
            bind_addresses: ["127.0.0.1"]
            rtc:
              tcp_port: 0
              udp_port: \(try await freePort(udp: true))
              node_ip: 127.0.0.1
              use_external_ip: false
              enable_loopback_candidate: true
              interfaces:
                includes: [lo]
              ips:
                includes: ["127.0.0.1/32"]
              stun_servers: ["127.0.0.1:3478"]
            keys:
              parleytest: "\(secret)"
            \(hooks)
            """
    }

    private static func freePort(udp: Bool = false) async throws -> Int {
        let group = MultiThreadedEventLoopGroup.singleton
        let channel: any Channel =
            if udp { try await DatagramBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get() } else {
                try await ServerBootstrap(group: group).bind(host: "127.0.0.1", port: 0).get()
            }
        let port = channel.localAddress?.port ?? 0
        try await channel.close()
        return port
    }
}

/// A program that runs beside the test.
private final class ServerProcess: Sendable {
    /// Its standard input ends when this process does, even by SIGKILL; then it ends the program.
    private static let reaping = #"read -r _ || kill -9 "$0" 2>/dev/null"#

    private let process: Mutex<Process>
    private let ended: AsyncStream<Void>
    private let reaper: Mutex<Process>
    private let reaperInput = Pipe()
    let identifier: Int32

    init(_ executable: String, _ arguments: [String], log: URL) throws {
        let (ended, continuation) = AsyncStream<Void>.makeStream()
        _ = FileManager.default.createFile(atPath: log.path, contents: nil)
        let output = try FileHandle(forWritingTo: log)
        let process = Process()
        process.executableURL = URL(filePath: executable)
        process.arguments = arguments
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        process.terminationHandler = { _ in continuation.finish() }
        try process.run()
        identifier = process.processIdentifier
        let reaper = Process()
        reaper.executableURL = URL(filePath: "/bin/sh")
        reaper.arguments = ["-c", Self.reaping, "\(identifier)"]
        reaper.standardInput = reaperInput
        reaper.standardOutput = FileHandle.nullDevice
        reaper.standardError = FileHandle.nullDevice
        try reaper.run()
        self.reaper = Mutex(reaper)
        self.process = Mutex(process)
        self.ended = ended
    }

    var isRunning: Bool { process.withLock { $0.isRunning } }

    func stop() async {
        // With a line to read it leaves the number alone, which may be somebody else's by now.
        defer { try? reaperInput.fileHandleForWriting.write(contentsOf: Data("done\n".utf8)) }
        guard isRunning else { return }
        kill(identifier, SIGTERM)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { for await _ in self.ended {} }
            group.addTask { try? await Task.sleep(for: .seconds(1)) }
            await group.next()
            if isRunning { kill(identifier, SIGKILL) }
            group.cancelAll()
        }
    }
}
