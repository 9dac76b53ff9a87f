import Foundation
import Logging
import NIOCore
import NIOPosix
import RedisClient
import Testing

/// Against a real Redis: `PARLEY_TEST_REDIS_URL`, which `deploy/local test` sets.
@Suite(
    .enabled(
        if: ProcessInfo.processInfo.environment["PARLEY_TEST_REDIS_URL"] != nil, "PARLEY_TEST_REDIS_URL is not set"))
struct RedisClientTests {
    private let prefix = "test:\(UUID().uuidString):"

    private func with<Result: Sendable>(_ body: (RedisClient) async throws -> Result) async throws -> Result {
        let url = ProcessInfo.processInfo.environment["PARLEY_TEST_REDIS_URL"] ?? ""
        return try await RedisClient.withClient(
            RedisConfiguration(url: url), on: MultiThreadedEventLoopGroup.singleton.any(),
            logger: Logger(label: "test"), body)
    }

    @Test func `bytes come back as they went in`() async throws {
        try await with { (client) async throws in
            let bytes = (0...255).map { UInt8($0) } + Array("\r\n$5\r\n".utf8)
            #expect(
                try await client.send(RedisCommand("SET", .string(prefix + "b"), .bytes(bytes), "PX", "60000"))
                    == .status("OK"))
            #expect(try await client.send(RedisCommand("GET", .string(prefix + "b"))).bytes == bytes)
            #expect(try await client.send(RedisCommand("GET", .string(prefix + "missing"))).isNull)
        }
    }

    @Test func `a refusal is thrown with Redis's own words`() async throws {
        try await with { (client) async throws in
            let error = await #expect(throws: RedisError.self) { try await client.send(RedisCommand("NOSUCHCOMMAND")) }
            #expect(error?.code == .server)
            #expect(error?.serverCode == "ERR")
        }
    }

    @Test func `pipelined replies come in the order of the commands, from many tasks at once`() async throws {
        try await with { (client) async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in 0..<20 {
                    group.addTask {
                        let commands = (0..<200).map { RedisCommand("ECHO", .string("\(task)-\($0)")) }
                        let replies = try await client.pipeline(commands)
                        #expect(replies.map(\.string) == (0..<200).map { "\(task)-\($0)" })
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func `scripts run by hash, and again after Redis forgot them`() async throws {
        try await with { (client) async throws in
            let script = RedisScript("return {KEYS[1], ARGV[1], redis.call('INCRBY', KEYS[1], ARGV[1])} -- \(prefix)")
            let key = prefix + "n"
            try await client.load([script])
            #expect(try await client.run(script, keys: [key], arguments: ["5"]).array?.last == .integer(5))
            // A script that this Redis never saw is what one looks like that it forgot.
            let forgotten = RedisScript("return redis.call('INCRBY', KEYS[1], 1) -- \(prefix)")
            try await client.load([forgotten])
            _ = try await client.send(RedisCommand("SCRIPT", "FLUSH"))
            #expect(try await client.run(forgotten, keys: [key], arguments: []) == .integer(6))
            #expect(try await client.run(forgotten, keys: [key], arguments: []) == .integer(7))
            _ = try await client.send(RedisCommand("DEL", .string(key)))
        }
    }

    @Test func `a killed connection fails its commands and comes back by itself`() async throws {
        try await with { (client) async throws in
            let id = try await client.send(RedisCommand("CLIENT", "ID")).integer ?? 0
            let other = client.dedicated(name: "killer")
            #expect(try await other.send(RedisCommand("CLIENT", "KILL", "ID", .integer(id))) == .integer(1))
            var newID = id
            for _ in 0..<100_000 where newID == id {
                do { newID = try await client.send(RedisCommand("CLIENT", "ID")).integer ?? 0 } catch {
                    await Task.yield()
                }
            }
            #expect(newID != id)
            await other.close()
        }
    }

    @Test func `a blocking read on its own connection holds nobody up`() async throws {
        try await with { (client) async throws in
            let reader = client.dedicated(name: "reader")
            let key = prefix + "s"
            async let entry = reader.send(
                RedisCommand("XREAD", "BLOCK", "30000", "STREAMS", .string(key), "0", timeout: .seconds(40)))
            #expect(try await client.send(RedisCommand("PING")) == .status("PONG"))
            _ = try await client.send(RedisCommand("XADD", .string(key), "1-1", "f", "v"))
            #expect(try await entry.array?.first?.array?.first?.string == key)
            _ = try await client.send(RedisCommand("DEL", .string(key)))
            await reader.close()
        }
    }

    @Test func `without replicas a wait says that none has it`() async throws {
        try await with { (client) async throws in
            let waiter = client.dedicated(name: "waiter")
            let reached = await withCheckedContinuation { continuation in
                waiter.waitForReplicas(1, timeout: .milliseconds(1)) { continuation.resume(returning: $0) }
            }
            #expect(try reached.get() == 0)
            await waiter.close()
        }
    }
}
