import Foundation
import NIOPosix
package import RedisClient

/// Clients of the Redis that `PARLEY_TEST_REDIS_URL` names, which `deploy/local test` sets. All tests share it: each has names of its own.
package enum TestRedis {
    /// Tests that need a server are enabled by this.
    package static var isAvailable: Bool { url != nil }

    private static var url: String? {
        ProcessInfo.processInfo.environment["PARLEY_TEST_REDIS_URL"].flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Runs `body` with clients of connections of their own, as several processes have, and closes them.
    package static func with<Result>(clients count: Int, _ body: ([RedisClient]) async throws -> Result) async throws
        -> Result
    {
        guard let url else { throw RedisError(.invalidConfiguration, "PARLEY_TEST_REDIS_URL is not set") }
        var configuration = try RedisConfiguration(url: url)
        // A debug build on a busy machine is no Redis that is away.
        configuration.commandTimeout = .seconds(60)
        let clients = (0..<count).map { _ in
            RedisClient(configuration, on: MultiThreadedEventLoopGroup.singleton.next(), logger: TestPostgres.quiet)
        }
        do {
            let result = try await body(clients)
            for client in clients { await client.close() }
            return result
        } catch {
            for client in clients { await client.close() }
            throw error
        }
    }
}
