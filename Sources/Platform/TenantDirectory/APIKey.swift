import Cryptography

/// An API key as it is stored: everything but the secret.
package struct APIKey: Sendable, Equatable {
    /// Public part of the key; names it in logs and commands.
    package let id: String
    package let tenant: String
    /// What it is for.
    package let name: String
    /// The first characters of the key, to recognise it by.
    package let prefix: String
    /// What it may do: `sessions`, `agents`, `admin`.
    package let scopes: Set<String>
    /// Limits by name, for instance `sessions_per_minute`.
    package let limits: [String: Double]
    package let isRevoked: Bool
    /// SHA-256 of the whole key.
    let hash: [UInt8]

    package static func == (left: APIKey, right: APIKey) -> Bool {
        (left.id, left.tenant, left.name, left.prefix) == (right.id, right.tenant, right.name, right.prefix)
            && (left.scopes, left.limits, left.isRevoked) == (right.scopes, right.limits, right.isRevoked)
            && constantTimeEqual(left.hash, right.hash)
    }
}

/// The text that a caller presents: `parley_<id>_<secret>`, the id public, the secret 256 random bits.
enum APIKeyText {
    static let marker = "parley"
    private static let idBytes = 10

    /// A new key: its id, its prefix for display and the text itself.
    static func make() throws -> (id: String, prefix: String, text: String) {
        let id = try RandomBytes.name(bytes: idBytes)
        let prefix = "\(marker)_\(id)"
        return (id, prefix, "\(prefix)_\(try RandomBytes.token())")
    }

    /// The id within a key; nil when the text cannot be a key.
    static func id(in text: String) -> String? {
        guard text.utf8.count <= 256 else { return nil }
        let parts = text.split(separator: "_", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == marker, !parts[1].isEmpty, !parts[2].isEmpty else { return nil }
        return String(parts[1])
    }
}
