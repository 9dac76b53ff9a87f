import WireCoding

/// Who somebody is to a LiveKit server and what they may do; signed, it is the token that they show.
package struct LiveKitAccessToken: Sendable, Equatable {
    /// What a participant is, as frontends tell agents from people.
    package enum Kind: String, Sendable, CaseIterable {
        case standard, ingress, egress, sip, agent, connector, bridge
    }

    /// Names the participant in its room: a second one of the same identity drives the first out.
    package var identity = ""
    /// For people.
    package var name = ""
    package var metadata = ""
    package var attributes: [String: String] = [:]
    /// Servers take kinds that they do not know for `standard`.
    package var kind = Kind.standard
    package var video: LiveKitVideoGrant?
    package var sip: LiveKitSIPGrant?
    /// Base64 of the SHA-256 of the body that the token goes with, in webhooks.
    package var sha256 = ""
    /// Agents that are asked into the room if the room is created for this participant.
    package var agents: [LiveKitRoomAgentDispatch] = []
    /// When it expires, in milliseconds since the epoch, of a token that was verified. Signing takes a lifetime instead.
    package internal(set) var expiry: Int64?

    package init(identity: String = "", video: LiveKitVideoGrant? = nil, sip: LiveKitSIPGrant? = nil) {
        self.identity = identity
        self.video = video
        self.sip = sip
    }

    /// The token as text.
    ///
    /// - Parameters:
    ///   - lifetime: how long it is accepted, in whole seconds from `now`. Servers renew the tokens of who is connected.
    ///   - now: milliseconds since the epoch.
    /// - Throws: `LiveKitError` with code `invalidArgument` when it grants joining without room or identity
    package func signed(by credentials: LiveKitCredentials, lifetime: Duration, now: Int64) throws -> String {
        if video?.roomJoin == true, video?.room.isEmpty != false || identity.isEmpty {
            throw LiveKitError(.invalidArgument, "a token to join a room needs the name of the room and an identity")
        }
        let claims = claims(
            issuer: credentials.apiKey, from: now / 1000, to: now / 1000 + max(1, lifetime.components.seconds))
        return try JSONWebToken.sign(claims, secret: credentials.secret)
    }

    /// Reads a token and accepts it only if our key signed it and its time has come and is not over.
    ///
    /// - Parameters:
    ///   - now: milliseconds since the epoch.
    ///   - leeway: by how much the clocks of others may differ; LiveKit's own is a minute.
    /// - Throws: `LiveKitError` with code `malformedToken`, `wrongKey`, `badSignature`, `expiredToken` or `prematureToken`
    package static func verify(
        _ text: String, credentials: LiveKitCredentials, now: Int64, leeway: Duration = .seconds(60)
    ) throws -> LiveKitAccessToken {
        let token = try JSONWebToken.Unverified(text)
        let issuer = token.claims["iss"].string ?? ""
        guard issuer == credentials.apiKey else {
            throw LiveKitError(
                .wrongKey,
                "the LiveKit token is signed with API key '\(issuer.prefix(64))', expected is '\(credentials.apiKey)'")
        }
        guard try token.isSigned(with: credentials.secret) else {
            throw LiveKitError(
                .badSignature, "the LiveKit token's signature is wrong; check that both sides have the same API secret")
        }
        let (seconds, leeway) = (Double(now) / 1000, Double(leeway.components.seconds))
        // A token that never expires would be a key.
        guard let expiry = token.claims["exp"].double else { throw JSONWebToken.malformed("has no expiry") }
        guard seconds < expiry + leeway else {
            throw LiveKitError(
                .expiredToken,
                "the LiveKit token expired \(Int(min(seconds - expiry, 1e9))) s ago; check the clocks if it was just made"
            )
        }
        if let start = token.claims["nbf"].double, seconds < start - leeway {
            throw LiveKitError(
                .prematureToken,
                "the LiveKit token is valid only in \(Int(min(start - seconds, 1e9))) s; check the clocks")
        }
        var result = LiveKitAccessToken(claims: token.claims)
        result.expiry = Int64(min(expiry, 1e12) * 1000)
        return result
    }
}

extension LiveKitRoomAgentDispatch {
    /// Asks an agent of this name into a room.
    package init(agentName: String, metadata: String = "", attributes: [String: String] = [:]) {
        self.init()
        self.agentName = agentName
        self.metadata = metadata
        self.attributes = attributes
    }
}
