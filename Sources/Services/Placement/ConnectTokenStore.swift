import Cryptography
package import Foundation
package import RedisClient

/// One-time tokens in Redis: stored hashed, gone after 60 s or the first use.
package struct ConnectTokenStore: Sendable {
    package static let lifetimeSeconds = 60
    package static let prefix = "pct_"

    private let redis: RedisClient
    private let keyPrefix: String

    package init(redis: RedisClient, keyPrefix: String = "parley") {
        self.redis = redis
        self.keyPrefix = keyPrefix
    }

    /// Stores `grant` and returns the token for it.
    package func mint(_ grant: Data) async throws -> String {
        let token = Self.prefix + (try RandomBytes.token(bytes: 32))
        _ = try await redis.send(
            RedisCommand("SET", .string(try key(token)), .data(grant), "EX", .integer(Self.lifetimeSeconds), "NX"))
        return token
    }

    /// What became of a token.
    package enum Redeemed: Sendable {
        case grant(Data)
        case used
        case unknown
    }

    /// Takes the grant, once. A used token is remembered as used for as long as it would have lived.
    package func redeem(_ token: String) async throws -> Redeemed {
        let reply = try await redis.run(
            Self.redeemScript, keys: [try key(token)], arguments: [.integer(Self.lifetimeSeconds)])
        switch reply {
        case .bytes(let bytes) where bytes == Array("used".utf8): return .used
        case .bytes(let bytes): return .grant(Data(bytes))
        default: return .unknown
        }
    }

    private func key(_ token: String) throws -> String { "\(keyPrefix):token:\(try SHA256.hex(token))" }

    private static let redeemScript = RedisScript(
        """
        local grant = redis.call('GET', KEYS[1])
        if not grant then return false end
        if grant ~= 'used' then redis.call('SET', KEYS[1], 'used', 'EX', ARGV[1]) end
        return grant
        """)
}
