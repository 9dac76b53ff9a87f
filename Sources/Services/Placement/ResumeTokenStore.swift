import Cryptography
package import Foundation
package import RedisClient

/// Tokens with which a client comes back to its session, in Redis: stored hashed, each good until the connection made with it has its own.
///
/// Beside them a counter per session numbers the client's connections: the one with the highest number counts.
package struct ResumeTokenStore: Sendable {
    /// A conversation seldom lasts longer; each connection gets a new token anyway.
    package static let lifetimeSeconds = 3_600
    package static let prefix = "prt_"

    private let redis: RedisClient
    private let keyPrefix: String

    package init(redis: RedisClient, keyPrefix: String = "parley") {
        self.redis = redis
        self.keyPrefix = keyPrefix
    }

    /// Stores what the token stands for and returns the token.
    package func mint(_ record: Data) async throws -> String {
        let token = Self.prefix + (try RandomBytes.token(bytes: 32))
        _ = try await redis.send(
            RedisCommand("SET", .string(try key(token)), .data(record), "EX", .integer(Self.lifetimeSeconds), "NX"))
        return token
    }

    /// What the token stands for; nil for one that is not known any more. It stays good: the connection may break again before it has a new one.
    package func record(of token: String) async throws -> Data? {
        try await redis.send(RedisCommand("GET", .string(try key(token)))).bytes.map { Data($0) }
    }

    /// The number of a new connection of the session's client; 2 for the first that comes back.
    package func nextGeneration(of session: String) async throws -> UInt32 {
        let key = generationKey(session)
        let replies = try await redis.pipeline([
            RedisCommand("SET", .string(key), "1", "NX", "EX", .integer(Self.lifetimeSeconds)), RedisCommand("INCR", .string(key)),
            RedisCommand("EXPIRE", .string(key), .integer(Self.lifetimeSeconds)),
        ])
        return replies[1].integer.map { UInt32(clamping: $0) } ?? 2
    }

    /// The number of the newest connection of the session's client.
    package func generation(of session: String) async throws -> UInt32 {
        try await redis.send(RedisCommand("GET", .string(generationKey(session)))).string.flatMap { UInt32($0) } ?? 1
    }

    /// The connection made with this token has a new one.
    package func forget(_ token: String) async throws { _ = try await redis.send(RedisCommand("DEL", .string(try key(token)))) }

    private func key(_ token: String) throws -> String { "\(keyPrefix):resume:\(try SHA256.hex(token))" }
    private func generationKey(_ session: String) -> String { "\(keyPrefix):generation:\(session)" }
}
