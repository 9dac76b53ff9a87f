import LiveKitProtocol

extension SimulatedRooms {
    /// The callee answers at once, or is busy.
    mutating func dial(_ request: LiveKitCreateSIPParticipantRequest) throws -> LiveKitSIPParticipantInfo {
        if request.sipTrunkID.isEmpty { throw TwirpFailure.invalid("missing sip trunk id and sip number") }
        if request.sipCallTo.isEmpty { throw TwirpFailure.invalid("missing sip callee number") }
        if request.sipCallTo.contains("@") {
            throw TwirpFailure.invalid("SipCallTo should be a phone number or SIP user, not a full SIP URI")
        }
        if request.roomName.isEmpty { throw TwirpFailure.invalid("missing room name") }
        guard trunks.contains(request.sipTrunkID) else {
            throw TwirpFailure("not_found", "requested sip trunk does not exist")
        }
        guard !busyNumbers.contains(request.sipCallTo) else {
            throw TwirpFailure(
                "resource_exhausted", "sip status 486: Busy Here",
                ["sip_status_code": "486", "sip_status": "Busy Here"])
        }
        var token = LiveKitAccessToken(identity: request.participantIdentity, video: .join(request.roomName))
        if token.identity.isEmpty { token.identity = "sip_\(request.sipCallTo)" }
        token.kind = .sip
        token.name = request.participantName
        token.metadata = request.participantMetadata
        token.attributes = request.participantAttributes
        token.attributes["sip.callID"] = makeID("SCL_")
        token.attributes["sip.callStatus"] = "active"
        token.attributes["sip.trunkID"] = request.sipTrunkID
        if !request.hidePhoneNumber { token.attributes["sip.phoneNumber"] = request.sipCallTo }
        let participant = try join(token)
        var info = LiveKitSIPParticipantInfo()
        info.participantID = participant.sid
        info.participantIdentity = participant.identity
        info.roomName = request.roomName
        info.sipCallID = participant.attributes["sip.callID"] ?? ""
        return info
    }

    mutating func transfer(_ request: LiveKitTransferSIPParticipantRequest) throws
        -> LiveKitTransferSIPParticipantResponse
    {
        if request.participantIdentity.isEmpty {
            throw TwirpFailure.invalid("twirp error unknown: Missing participant identity")
        }
        if request.transferTo.isEmpty { throw TwirpFailure.invalid("missing transfer to") }
        guard ["sip:", "sips:", "tel:"].contains(where: request.transferTo.hasPrefix) else {
            throw TwirpFailure.invalid("transfer_to must be a valid SIP(s) or TEL URI (sip:, sips: or tel:)")
        }
        var person = LiveKitRoomParticipantIdentity()
        person.room = request.roomName
        person.identity = request.participantIdentity
        guard try getParticipant(person).attributes["sip.callID"] != nil else {
            throw TwirpFailure.invalid("twirp error unknown: no SIP session associated with participant")
        }
        transfers[request.participantIdentity] = request.transferTo
        try leave(request.participantIdentity, room: request.roomName)
        var response = LiveKitTransferSIPParticipantResponse()
        response.transferID = makeID("STR_")
        response.status = .stsTransferSuccessful
        return response
    }
}
