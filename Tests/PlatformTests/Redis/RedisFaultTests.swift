import Logging
import NIOCore
import NIOPosix
import RedisClient
import Testing

/// Against a server that misbehaves.
struct RedisFaultTests {
    private func configuration(_ server: FakeRedis, timeout: Duration = .seconds(20)) throws -> RedisConfiguration {
        var configuration = try RedisConfiguration(url: "redis://127.0.0.1:\(server.port)")
        configuration.commandTimeout = timeout
        return configuration
    }

    private func with<Result: Sendable>(
        _ configuration: RedisConfiguration, _ body: (RedisClient) async throws -> Result
    ) async throws -> Result {
        try await RedisClient.withClient(
            configuration, on: MultiThreadedEventLoopGroup.singleton.any(), logger: Logger(label: "test"), body)
    }

    /// Says what Redis says to the greeting.
    private static let greeting = "+OK\r\n+PONG\r\n"

    @Test func `garbage instead of a reply is reported as such, and the client connects again`() async throws {
        let server = try await FakeRedis.start { connection, received in
            if received.contains("CLIENT") { return Self.greeting }
            return connection == 1 ? "HTTP/1.1 400 Bad Request\r\n\r\n" : "+fine\r\n"
        }
        try await with(configuration(server)) { (client) async throws in
            let error = await #expect(throws: RedisError.self) { try await client.send(RedisCommand("GET", "a")) }
            #expect(error?.code == .protocolViolation)
            let reply = try await eventually { try await client.send(RedisCommand("GET", "a")) }
            #expect(reply == .status("fine"))
        }
        try await server.close()
    }

    @Test func `a reply cut into single bytes is read as one`() async throws {
        let server = try await FakeRedis.start { _, received in
            received.contains("CLIENT") ? Self.greeting : "*2\r\n$5\r\nhello\r\n*1\r\n:42\r\n"
        }
        try await with(configuration(server)) { (client) async throws in
            #expect(
                try await client.send(RedisCommand("X"))
                    == .array([.bytes(Array("hello".utf8)), .array([.integer(42)])]))
        }
        try await server.close()
    }

    @Test func `a connection that ends with commands in flight says that they may have run`() async throws {
        let server = try await FakeRedis.start { _, received in received.contains("CLIENT") ? Self.greeting : nil }
        try await with(configuration(server)) { (client) async throws in
            let error = await #expect(throws: RedisError.self) { try await client.send(RedisCommand("INCR", "a")) }
            #expect(error?.code == .connectionLost)
        }
        try await server.close()
    }

    @Test func `a silent server is given up after the command's time`() async throws {
        let server = try await FakeRedis.start { _, received in received.contains("CLIENT") ? Self.greeting : "" }
        try await with(configuration(server, timeout: .milliseconds(50))) { (client) async throws in
            let error = await #expect(throws: RedisError.self) { try await client.send(RedisCommand("GET", "a")) }
            #expect(error?.code == .timeout)
        }
        try await server.close()
    }

    @Test func `a server that is not there is named in the error`() async throws {
        let server = try await FakeRedis.start { _, _ in nil }
        let configuration = try configuration(server)
        try await server.close()
        try await with(configuration) { (client) async throws in
            let error = await #expect(throws: RedisError.self) { try await client.send(RedisCommand("GET", "a")) }
            #expect(error?.code == .unavailable)
            #expect(error?.description.contains("127.0.0.1:\(configuration.port)") == true)
        }
    }

    @Test func `a server that comes back on the same port is found again`() async throws {
        let first = try await FakeRedis.start { _, received in received.contains("CLIENT") ? Self.greeting : nil }
        let configuration = try configuration(first)
        try await with(configuration) { (client) async throws in
            await #expect(throws: RedisError.self) { try await client.send(RedisCommand("GET", "a")) }
            try await first.close()
            let second = try await FakeRedis.start(port: configuration.port) { _, received in
                received.contains("CLIENT") ? Self.greeting : ":7\r\n"
            }
            let reply = try await eventually { try await client.send(RedisCommand("GET", "a")) }
            #expect(reply == .integer(7))
            try await second.close()
        }
    }

    @Test func `a cancelled caller stops waiting`() async throws {
        let server = try await FakeRedis.start { _, received in received.contains("CLIENT") ? Self.greeting : "" }
        try await with(configuration(server)) { (client) async throws in
            let waiting = Task { try await client.send(RedisCommand("GET", "a")) }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
        }
        try await server.close()
    }

    /// Tries until it works: while the client waits to connect again, commands fail at once.
    private func eventually<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        for _ in 0..<100_000 {
            do { return try await body() } catch is RedisError { await Task.yield() }
        }
        return try await body()
    }
}
