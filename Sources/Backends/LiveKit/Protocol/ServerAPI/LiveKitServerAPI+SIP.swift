import SwiftProtobuf

/// Telephone calls.
extension LiveKitServerAPI {
    /// Calls somebody into a room. It is not tried again: a phone must not ring twice.
    ///
    /// The error's metadata has `sip_status_code` when the callee is busy or declines.
    package func dial(_ call: LiveKitCall) async throws -> LiveKitSIPParticipantInfo {
        var request = LiveKitCreateSIPParticipantRequest()
        request.sipTrunkID = try Self.required(call.trunk, "the trunk")
        request.sipCallTo = try Self.required(call.number, "the number to call")
        request.roomName = try Self.required(call.room, "the name of the room")
        request.participantIdentity = call.identity
        request.participantName = call.name
        request.participantMetadata = call.metadata
        request.participantAttributes = call.attributes
        request.sipNumber = call.from
        request.dtmf = call.dtmf
        request.waitUntilAnswered = call.waitUntilAnswered
        if let ringing = call.ringing { request.ringingTimeout = .init(ringing) }
        // The server waits 30 s for the participant to be there, 80 s for an answer.
        let limit = Duration.seconds(call.waitUntilAnswered ? 85 : 35)
        return try await self.call(
            Self.sip("CreateSIPParticipant", LiveKitAccessToken(sip: LiveKitSIPGrant(call: true)), limit), request)
    }

    /// Hands a caller who is in a room by telephone over to somebody else; the caller leaves the room.
    ///
    /// - Parameters:
    ///   - target: `tel:+49...` or `sip:user@host`.
    ///   - ringing: until it counts as failed.
    package func transfer(
        _ identity: String, room: String, to target: String, playDialtone: Bool = false,
        ringing: Duration = .seconds(30)
    ) async throws -> LiveKitTransferSIPParticipantResponse {
        guard ["tel:", "sip:", "sips:"].contains(where: target.hasPrefix) else {
            throw LiveKitError(
                .invalidArgument,
                "'\(target)' is no target of a transfer; it must look like tel:+4930123456 or sip:user@host")
        }
        var request = LiveKitTransferSIPParticipantRequest()
        request.roomName = try Self.required(room, "the name of the room")
        request.participantIdentity = try Self.required(identity, "the participant's identity")
        request.transferTo = target
        request.playDialtone = playDialtone
        request.ringingTimeout = .init(ringing)
        let grant = LiveKitAccessToken(video: .admin(of: room), sip: LiveKitSIPGrant(call: true))
        return try await call(Self.sip("TransferSIPParticipant", grant, ringing + .seconds(5)), request)
    }

    private static func sip(_ method: String, _ grant: LiveKitAccessToken, _ limit: Duration) -> TwirpCall {
        TwirpCall(service: "SIP", method: method, grant: grant, isIdempotent: false, limit: limit)
    }
}

extension Google_Protobuf_Duration {
    fileprivate init(_ duration: Swift.Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(seconds: seconds, nanos: Int32(attoseconds / 1_000_000_000))
    }
}
