/// Signing keys by name: one to sign with, the others accepted until what they signed has expired.
///
/// To change keys without refusing anybody: add the new key behind the current one everywhere, then put it first everywhere, then remove
/// the old one.
package struct KeyRing: Sendable {
    /// A named signing key.
    package struct Key: Sendable {
        /// 1 to 32 letters, digits, hyphens and underscores; public.
        package let id: String
        /// At least 16 bytes; 32 random ones are best.
        package let secret: Secret

        /// Throws `CryptographyError` with code `weakKey` when the name or the length of the secret is not as described.
        package init(id: String, secret: Secret) throws {
            guard (1...32).contains(id.utf8.count),
                id.utf8.allSatisfy({ Character(Unicode.Scalar($0)).isLetterOrDigit || $0 == 0x2D || $0 == 0x5F })
            else {
                throw CryptographyError(
                    .weakKey, "a key's id is 1 to 32 letters, digits, hyphens or underscores, not '\(id)'")
            }
            guard secret.bytes.count >= 16 else {
                throw CryptographyError(
                    .weakKey,
                    "key '\(id)' has \(secret.bytes.count) bytes; at least 16 are needed (openssl rand -hex 32)")
            }
            self.id = id
            self.secret = secret
        }
    }

    /// The key to sign with.
    package let current: Key
    private let keys: [String: Key]

    /// A ring that signs with `current` and also accepts `others`.
    package init(current: Key, others: [Key] = []) {
        self.current = current
        keys = Dictionary((others + [current]).map { ($0.id, $0) }) { _, later in later }
    }

    /// Reads `id:secret,id:secret,...`, the current key first. A secret without an id is called `k1`.
    ///
    /// Throws `CryptographyError` with code `weakKey` that names the key but not its secret.
    package init(parsing secret: Secret) throws {
        let keys = try secret.revealed.split(separator: ",").map { entry in
            let text = entry.trimmingWhitespace
            guard let colon = text.firstIndex(of: ":") else { return try Key(id: "k1", secret: Secret(String(text))) }
            return try Key(id: String(text[..<colon]), secret: Secret(String(text[text.index(after: colon)...])))
        }
        guard let current = keys.first else { throw CryptographyError(.weakKey, "no signing key is given") }
        self.init(current: current, others: Array(keys.dropFirst()))
    }

    /// The key called `id`.
    package func key(_ id: String) -> Key? { keys[id] }
}

extension Character {
    fileprivate var isLetterOrDigit: Bool { isASCII && (isLetter || isNumber) }
}

extension Substring {
    fileprivate var trimmingWhitespace: Substring {
        var trimmed = drop(while: \.isWhitespace)
        while trimmed.last?.isWhitespace == true { trimmed.removeLast() }
        return trimmed
    }
}
