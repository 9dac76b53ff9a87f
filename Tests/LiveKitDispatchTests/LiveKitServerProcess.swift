import ClusterSupport
import Foundation
import HTTPClient
import NIOCore
import NIOPosix
import Synchronization
import Testing

/// A `livekit-server` of a test's own, on free ports of the loopback interface.
final class LiveKitServerProcess: Sendable {
    static let key = "devkey"
    static let secret = "secret-of-the-real-livekit-server-of-a-test"

    /// Nil: there is none on the `PATH`.
    static let executable: String? = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        .map { "\($0)/livekit-server" }.first { FileManager.default.isExecutableFile(atPath: $0) }

    let port: Int
    private let folder: URL
    private let process = Mutex<Process?>(nil)

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "parley-livekit-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        port = try LocalCluster.freePort()
        // Without an address for STUN the server names one on the Internet to its clients.
        let configuration = """
            port: \(port)
            bind_addresses: [127.0.0.1]
            rtc:
              tcp_port: 0
              udp_port: \(try LocalCluster.freePort())
              node_ip: 127.0.0.1
              use_external_ip: false
              enable_loopback_candidate: true
              interfaces: {includes: [lo]}
              ips: {includes: [127.0.0.1/32]}
              stun_servers: ["127.0.0.1:3478"]
            keys:
              \(Self.key): \(Self.secret)
            """
        try configuration.write(to: folder.appending(path: "livekit.yaml"), atomically: true, encoding: .utf8)
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(at: folder)
    }

    var url: String { "ws://127.0.0.1:\(port)" }
    var httpURL: String { "http://127.0.0.1:\(port)" }
    /// What the server has logged.
    var log: String { (try? String(contentsOf: folder.appending(path: "log"), encoding: .utf8)) ?? "" }

    /// Returns when the server answers; also after `kill`.
    func start() async throws {
        let path = folder.appending(path: "log").path
        if !FileManager.default.fileExists(atPath: path) { try Data().write(to: URL(filePath: path)) }
        let output = try FileHandle(forWritingTo: URL(filePath: path))
        try output.seekToEnd()
        let server = Process()
        server.executableURL = URL(filePath: try #require(Self.executable))
        server.arguments = ["--config", folder.appending(path: "livekit.yaml").path]
        server.standardOutput = output
        server.standardError = output
        try server.run()
        process.withLock { $0 = server }
        let end = ContinuousClock.now + .seconds(30)
        while try await !isUp() { try #require(ContinuousClock.now < end, "livekit-server does not start: \(log)") }
    }

    /// At once, without a farewell.
    func kill() {
        process.withLock { server in
            guard let running = server, running.isRunning else { return }
            Foundation.kill(running.processIdentifier, SIGKILL)
            running.waitUntilExit()
            server = nil
        }
    }

    private func isUp() async throws -> Bool {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        do { return try await HTTPClient.shared.send(HTTPRequest("GET", httpURL), on: loop).head.status == 200 } catch {
            // Nobody listens yet.
            try await loop.scheduleTask(in: .milliseconds(50)) {}.futureResult.get()
            return false
        }
    }
}
