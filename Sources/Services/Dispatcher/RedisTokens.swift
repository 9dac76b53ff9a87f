import Foundation
package import Placement
import RedisClient

/// `ConnectTokens` in Redis.
package struct RedisTokens: ConnectTokens {
    private let store: ConnectTokenStore

    package init(_ store: ConnectTokenStore) { self.store = store }

    package func mint(_ grant: ConnectGrant) async throws -> String { try await store.mint(try JSONEncoder().encode(grant)) }

    package func redeem(_ token: String) async throws -> ConnectGrant {
        guard token.hasPrefix(ConnectTokenStore.prefix) else {
            throw AdmissionError(.badToken, "this is neither a connect token (pct_…) nor an API key (parley_…)")
        }
        switch try await store.redeem(token) {
        case .grant(let data): return try JSONDecoder().decode(ConnectGrant.self, from: data)
        case .used: throw AdmissionError(.usedToken, "the connect token was used before; get a new one from POST /v1/connect")
        case .unknown:
            throw AdmissionError(
                .badToken, "the connect token is not known or older than \(ConnectTokenStore.lifetimeSeconds) s")
        }
    }
}
