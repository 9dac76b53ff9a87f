import Cryptography
import NIOCore
import WireCoding

/// JSON Web Tokens (RFC 7519) with HMAC-SHA256, the only kind that LiveKit knows.
enum JSONWebToken {
    /// Longer ones are refused before anything of them is decoded. No HTTP server takes a header as long.
    static let maximumLength = 64 << 10
    private static let header = Base64URL.encode(#"{"alg":"HS256","typ":"JWT"}"#.utf8)

    /// A token that holds `claims`, the text of a JSON object.
    static func sign(_ claims: String, secret: Secret) throws -> String {
        let signed = header + "." + Base64URL.encode(claims.utf8)
        return signed + "." + Base64URL.encode(try HMACSHA256.authenticate(signed.utf8, key: secret))
    }

    /// The claims of a token before anybody has said that they are true.
    struct Unverified {
        let claims: JSONValue
        private let signed: Substring
        private let signature: [UInt8]

        /// Throws `LiveKitError` with code `malformedToken`.
        init(_ text: String) throws {
            guard text.utf8.count <= maximumLength else {
                throw JSONWebToken.malformed("is longer than \(maximumLength) bytes")
            }
            let parts = text.split(separator: ".", omittingEmptySubsequences: false)
            guard parts.count == 3, let signature = Base64URL.decode(parts[2]) else {
                throw JSONWebToken.malformed("does not consist of three base64url parts")
            }
            let header = try JSONWebToken.object(parts[0])
            claims = try JSONWebToken.object(parts[1])
            guard header["alg"].equals("HS256") else { throw JSONWebToken.malformed("is not signed with HS256") }
            signed = text[..<parts[1].endIndex]
            self.signature = signature
        }

        /// Whether `secret` signed it; compared in constant time.
        func isSigned(with secret: Secret) throws -> Bool {
            try HMACSHA256.isValid(signature, for: signed.utf8, key: secret)
        }
    }

    private static func object(_ part: Substring) throws -> JSONValue {
        guard let bytes = Base64URL.decode(part), let document = try? JSONDocument(ByteBuffer(bytes: bytes)),
            document.root.isObject
        else { throw malformed("does not hold JSON") }
        return document.root
    }

    static func malformed(_ why: String) -> LiveKitError { LiveKitError(.malformedToken, "the LiveKit token \(why)") }
}
