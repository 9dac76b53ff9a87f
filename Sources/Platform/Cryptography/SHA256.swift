internal import COpenSSL

/// SHA-256 (FIPS 180-4) of bytes in memory.
package enum SHA256 {
    /// Bytes in a digest.
    package static let byteCount = 32

    /// The digest of `bytes`, 32 bytes.
    package static func hash(_ bytes: some Sequence<UInt8>) throws -> [UInt8] {
        let input = Array(bytes)
        var digest = [UInt8](repeating: 0, count: byteCount)
        var written: UInt32 = 0
        let status = unsafe EVP_Digest(input, input.count, &digest, &written, EVP_sha256(), nil)
        guard status == 1, Int(written) == byteCount else {
            throw CryptographyError(.libraryFailure, "libcrypto could not compute a SHA-256 digest")
        }
        return digest
    }

    /// The digest of a text's UTF-8 bytes as 64 lower-case hexadecimal digits, as content hashes are written.
    package static func hex(_ text: String) throws -> String {
        Hex.encode(try hash(text.utf8))
    }

    /// The digest of `bytes` as 64 lower-case hexadecimal digits.
    package static func hex(_ bytes: some Sequence<UInt8>) throws -> String {
        Hex.encode(try hash(bytes))
    }
}
