import ClusterSupport
import Foundation
import Logging
import NIOPosix
import RedisClient

/// A redis-server of the test's own, with an append-only file, that may be killed, paused and robbed of what its disk did not have yet.
final class RedisServer: Sendable {
    private let cluster: LocalCluster

    private init(_ cluster: LocalCluster) { self.cluster = cluster }

    /// Runs `body` with so many servers.
    static func with(_ count: Int = 1, _ body: ([RedisServer]) async throws -> Void) async throws {
        var servers: [RedisServer] = []
        do {
            for _ in 0..<count {
                let server = RedisServer(try LocalCluster.prepare(.init()))
                servers.append(server)
                try await server.start()
            }
            try await body(servers)
        } catch {
            for server in servers { await server.cluster.stop() }
            throw error
        }
        for server in servers { await server.cluster.stop() }
    }

    var url: String { cluster.redisURL }

    /// Starts it, also again with what its disk has, and waits until it answers.
    func start() async throws {
        try cluster.launch("redis")
        try await lookAgain { await self.answers }
    }

    /// SIGKILL: it writes nothing any more.
    func kill() async {
        cluster.signal("redis", SIGKILL)
        _ = await cluster.waitForExit("redis")
    }

    func pause() { cluster.signal("redis", SIGSTOP) }
    func resume() { cluster.signal("redis", SIGCONT) }

    /// Sends one command over a connection of its own.
    @discardableResult
    func send(_ command: RedisCommand) async throws -> RESPValue {
        try await RedisClient.withClient(
            try RedisConfiguration(url: url), on: MultiThreadedEventLoopGroup.singleton.any(),
            logger: Logger(label: "test")
        ) { try await $0.send(command) }
    }

    private var answers: Bool { get async { (try? await send(RedisCommand("PING"))) != nil } }

    // MARK: What a disk loses

    private var file: URL {
        get throws {
            let folder = cluster.folder.appending(path: "redis/appendonlydir")
            let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
            guard let file = files.first(where: { $0.lastPathComponent.hasSuffix(".incr.aof") }) else {
                throw CocoaError(.fileNoSuchFile)
            }
            return file
        }
    }

    /// How much its file has now.
    var written: UInt64 {
        get throws {
            let handle = try FileHandle(forReadingFrom: try file)
            defer { try? handle.close() }
            return try handle.seekToEnd()
        }
    }

    /// Killed, and started again without what it wrote after this point, as after a loss of power.
    func loseTail(after point: UInt64) async throws {
        await kill()
        let handle = try FileHandle(forWritingTo: try file)
        try handle.truncate(atOffset: point)
        try handle.close()
        try await start()
    }

    // MARK: Replicas

    /// Follows another server, and has all that it has when this returns.
    func follow(_ primary: RedisServer) async throws {
        guard let port = URLComponents(string: primary.url)?.port else { return }
        _ = try await send(RedisCommand("REPLICAOF", "127.0.0.1", .integer(port)))
        try await lookAgain {
            try await self.send(RedisCommand("INFO", "replication")).string?.contains("master_link_status:up") == true
        }
    }

    /// Is a primary from now on, with what it has.
    func leave() async throws { _ = try await send(RedisCommand("REPLICAOF", "NO", "ONE")) }

    /// The primary dies, and this server answers at its address.
    func takePlace(of primary: RedisServer) async throws {
        guard let port = URLComponents(string: primary.url)?.port else { return }
        await primary.kill()
        _ = try? await send(RedisCommand("CONFIG", "SET", "port", .integer(port)))
        try await lookAgain { await primary.answers }
    }
}
