internal import COpenSSL

/// Unpredictable bytes and names made of them, from the library's generator, which the kernel seeds.
package enum RandomBytes {
    /// `count` unpredictable bytes. Throws when the generator cannot be seeded: never go on without.
    package static func generate(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        guard count > 0 else { return bytes }
        guard unsafe RAND_bytes(&bytes, Int32(count)) == 1 else {
            throw CryptographyError(.libraryFailure, "the random number generator could not be seeded")
        }
        return bytes
    }

    /// An unguessable token in base64url; 32 bytes (256 bits) give 43 characters.
    package static func token(bytes: Int = 32) throws -> String {
        Base64URL.encode(try generate(bytes))
    }

    /// An unguessable name that people can read out and type, in Crockford's base32; 16 bytes (128 bits) give 26 characters.
    package static func name(bytes: Int = 16) throws -> String {
        CrockfordBase32.encode(try generate(bytes))
    }
}
