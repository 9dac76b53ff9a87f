/// A statement that holds for a short time and that only who knows the key can have made: `base64url(payload).base64url(hmac)`.
///
/// The payload is the key's id, the expiry and the statement, so nothing of it can be changed unnoticed. Whoever holds a ticket can read it
/// and can use it until it expires: it is no place for secrets.
package struct SignedTicket: Sendable, Equatable {
    /// Why a ticket is not accepted.
    package enum Refusal: Error, Sendable, Equatable, CustomStringConvertible {
        /// It is not a ticket at all.
        case malformed
        /// It names a key that is not, or no longer, known here.
        case unknownKey(String)
        /// It was changed, or made with another key of the same name.
        case badSignature
        /// It was valid until this time, in milliseconds since the epoch.
        case expired(at: Int64)

        package var description: String {
            switch self {
            case .malformed: "the ticket is malformed"
            case .unknownKey(let id):
                "the ticket is signed with key '\(id)', which is not known here; check that all services share their keys"
            case .badSignature: "the ticket's signature is wrong; check that all services share their keys"
            case .expired(let time):
                "the ticket expired at \(time) ms since the epoch; check the clocks if it was just made"
            }
        }
    }

    /// What the ticket states, for example a session, a fence and a role.
    package let statement: [UInt8]
    /// Milliseconds since the epoch from which it is no longer accepted.
    package let expiry: Int64
    /// The key it is signed with.
    package let keyID: String

    // Wire format of the payload: version, length of the key id, key id, expiry (8 bytes, big-endian), statement.
    private static let version: UInt8 = 1
    /// Tickets longer than this are refused before they are decoded.
    package static let maximumLength = 4096

    /// Signs `statement` with the ring's current key.
    ///
    /// - Parameters:
    ///   - lifetime: how long it is accepted, from `now`.
    ///   - now: milliseconds since the epoch.
    package static func issue(
        _ statement: some Sequence<UInt8>, lifetime: Duration, keys: KeyRing, now: Int64
    ) throws -> String {
        let expiry = now + lifetime.components.seconds * 1000 + lifetime.components.attoseconds / 1_000_000_000_000_000
        let id = Array(keys.current.id.utf8)
        var payload = [version, UInt8(id.count)] + id
        payload += (0..<8).map { UInt8(truncatingIfNeeded: expiry >> (56 - 8 * $0)) }
        payload += statement
        let code = try HMACSHA256.authenticate(payload, key: keys.current.secret)
        return Base64URL.encode(payload) + "." + Base64URL.encode(code)
    }

    /// Reads a ticket and accepts it only if a known key signed it and it has not expired.
    ///
    /// Throws `Refusal`. `now` is in milliseconds since the epoch.
    package static func verify(_ text: String, keys: KeyRing, now: Int64) throws -> SignedTicket {
        guard text.utf8.count <= maximumLength else { throw Refusal.malformed }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let payload = Base64URL.decode(parts[0]), let code = Base64URL.decode(parts[1]),
            let ticket = SignedTicket(payload: payload)
        else { throw Refusal.malformed }
        guard let key = keys.key(ticket.keyID) else { throw Refusal.unknownKey(ticket.keyID) }
        guard try HMACSHA256.isValid(code, for: payload, key: key.secret) else { throw Refusal.badSignature }
        guard now < ticket.expiry else { throw Refusal.expired(at: ticket.expiry) }
        return ticket
    }

    private init?(payload: [UInt8]) {
        guard payload.count >= 2, payload[0] == Self.version else { return nil }
        let afterID = 2 + Int(payload[1])
        guard payload.count >= afterID + 8, let id = String(validating: payload[2..<afterID], as: UTF8.self) else {
            return nil
        }
        keyID = id
        expiry = payload[afterID..<afterID + 8].reduce(0) { $0 << 8 | Int64($1) }
        statement = Array(payload[(afterID + 8)...])
    }
}
