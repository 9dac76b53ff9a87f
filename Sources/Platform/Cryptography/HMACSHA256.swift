internal import COpenSSL

/// HMAC-SHA256 (RFC 2104).
package enum HMACSHA256 {
    /// The authentication code of `message` under `key`, 32 bytes.
    package static func authenticate(_ message: some Sequence<UInt8>, key: Secret) throws -> [UInt8] {
        let input = Array(message)
        let keyBytes = key.bytes
        var code = [UInt8](repeating: 0, count: SHA256.byteCount)
        var written: UInt32 = 0
        let result = unsafe HMAC(EVP_sha256(), keyBytes, Int32(keyBytes.count), input, input.count, &code, &written)
        guard unsafe result != nil, Int(written) == SHA256.byteCount else {
            throw CryptographyError(.libraryFailure, "libcrypto could not compute an HMAC")
        }
        return code
    }

    /// Whether `code` is the authentication code of `message` under `key`, compared in constant time.
    package static func isValid(_ code: some Sequence<UInt8>, for message: some Sequence<UInt8>, key: Secret) throws
        -> Bool
    {
        constantTimeEqual(Array(code), try authenticate(message, key: key))
    }
}

/// Whether two byte sequences are equal, in a time that depends on their lengths alone.
package func constantTimeEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    return unsafe CRYPTO_memcmp(left, right, left.count) == 0
}
