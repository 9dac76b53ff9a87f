import Cryptography
import Foundation
import LiveKitDispatch
import NIOCore
package import WireCoding

/// Tokens as a LiveKit server checks and makes them for agents.
package enum AgentServerTokens {
    /// By how much clocks may differ, in seconds.
    private static let leeway = 60.0
    private static let lifetime = 3_600.0

    /// The token that a worker registers with.
    package static func worker(key: String, secret: String, isAgent: Bool = true, expiresIn seconds: Double = 600) -> String {
        sign(secret) {
            $0.member("iss", key)
            $0.member("nbf", Int(now))
            $0.member("exp", Int(now + seconds))
            $0.memberObject("video") { if isAgent { $0.member("agent", true) } else { $0.member("roomList", true) } }
        }
    }

    /// A token for the server API: makes rooms, and asks agents into this one.
    package static func administrator(of room: String, key: String, secret: String) -> String {
        sign(secret) {
            $0.member("iss", key)
            $0.member("nbf", Int(now))
            $0.member("exp", Int(now + 600))
            $0.memberObject("video") {
                $0.member("roomCreate", true)
                $0.member("roomList", true)
                $0.member("roomAdmin", true)
                $0.member("room", room)
            }
        }
    }

    /// The token of a job, as the server makes it.
    static func job(_ job: SimulatedJob, permissions: SimulatedWorker.Permissions, _ configuration: AgentServerConfiguration) -> String {
        sign(configuration.secret) {
            $0.member("iss", configuration.apiKey)
            $0.member("sub", job.participant.identity)
            $0.member("nbf", Int(now))
            $0.member("exp", Int(now + lifetime))
            $0.member("name", job.participant.name)
            $0.member("kind", "agent")
            $0.member("metadata", job.participant.metadata)
            $0.memberObject("attributes") {
                for (key, value) in job.participant.attributes.sorted(by: { $0.key < $1.key }) { $0.member(key, value) }
            }
            $0.memberObject("video") {
                $0.member("roomJoin", true)
                $0.member("agent", true)
                $0.member("room", job.room)
                $0.member("canSubscribe", permissions.canSubscribe)
                $0.member("canPublish", permissions.canPublish)
                $0.member("canPublishData", permissions.canPublishData)
                $0.member("hidden", permissions.isHidden)
                $0.member("canUpdateOwnMetadata", permissions.canUpdateMetadata)
            }
        }
    }

    /// What a server says of a worker's token with status 401; nil: nothing is wrong with it.
    static func refusal(_ token: String?, _ configuration: AgentServerConfiguration) -> String? {
        guard let token else { return "" }
        func invalid(_ why: String) -> String { "invalid token: \(token), error: \(why)" }
        guard let claims = claims(of: token, secret: configuration.secret) else { return invalid("token signature is invalid: signature is invalid") }
        guard claims["iss"].string == configuration.apiKey else { return "invalid API key: \(claims["iss"].string ?? "")" }
        guard let expiry = claims["exp"].double, expiry + leeway > now else { return invalid("token has invalid claims: token is expired") }
        if let start = claims["nbf"].double, start - leeway > now { return invalid("token has invalid claims: token is not valid yet") }
        guard claims["video"]["agent"].bool == true else { return "no permissions to access the room" }
        return nil
    }

    /// Nil where the signature is not that of the secret.
    package static func claims(of token: String, secret: String) -> JSONValue? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let header = object(parts[0]), header["alg"].string == "HS256", let claims = object(parts[1]),
            let signature = Base64URL.decode(parts[2]),
            (try? HMACSHA256.isValid(signature, for: "\(parts[0]).\(parts[1])".utf8, key: Secret(secret))) == true
        else { return nil }
        return claims
    }

    private static var now: Double { Date().timeIntervalSince1970 }

    private static func object(_ part: Substring) -> JSONValue? {
        guard let bytes = Base64URL.decode(part), let json = try? JSONDocument(ByteBuffer(bytes: bytes)), json.root.isObject else {
            return nil
        }
        return json.root
    }

    private static func sign(_ secret: String, _ claims: (inout JSONWriter) -> Void) -> String {
        var json = JSONWriter()
        json.object(claims)
        let signed = Base64URL.encode(#"{"alg":"HS256","typ":"JWT"}"#.utf8) + "." + Base64URL.encode(json.text.utf8)
        let signature = (try? HMACSHA256.authenticate(signed.utf8, key: Secret(secret))) ?? []
        return signed + "." + Base64URL.encode(signature)
    }
}
