/// Participants.
extension LiveKitServerAPI {
    /// Everybody in a room; nobody when there is no such room.
    package func listParticipants(_ room: String) async throws -> [LiveKitParticipantInfo] {
        var request = LiveKitListParticipantsRequest()
        request.room = room
        let response: LiveKitListParticipantsResponse = try await call(
            Self.administration("ListParticipants", of: room), request)
        return response.participants
    }

    /// Code `notFound` when nobody of that identity is there.
    package func participant(_ identity: String, room: String) async throws -> LiveKitParticipantInfo {
        try await call(Self.administration("GetParticipant", of: room), Self.person(identity, room))
    }

    /// Disconnects a participant. Who still has a valid token can join again.
    package func removeParticipant(_ identity: String, room: String) async throws {
        let _: LiveKitRemoveParticipantResponse = try await call(
            Self.administration("RemoveParticipant", of: room), Self.person(identity, room))
    }

    /// Mutes a track. Unmuting is refused with `failedPrecondition` unless the server is configured to allow it.
    package func muteTrack(_ sid: String, of identity: String, room: String, muted: Bool = true) async throws
        -> LiveKitTrackInfo
    {
        var request = LiveKitMuteRoomTrackRequest()
        request.room = room
        request.identity = identity
        request.trackSid = sid
        request.muted = muted
        let response: LiveKitMuteRoomTrackResponse = try await call(
            Self.administration("MutePublishedTrack", of: room), request)
        return response.track
    }

    /// Changes what others know about a participant, and what it may do.
    ///
    /// - Parameters:
    ///   - name: nil for no change, as with the others.
    ///   - attributes: only these are changed; an empty value removes one.
    ///   - permission: replaces all permissions.
    package func updateParticipant(
        _ identity: String, room: String, name: String? = nil, metadata: String? = nil,
        attributes: [String: String] = [:],
        permission: LiveKitParticipantPermission? = nil
    ) async throws -> LiveKitParticipantInfo {
        var request = LiveKitUpdateParticipantRequest()
        request.room = room
        request.identity = try Self.required(identity, "the participant's identity")
        request.name = name ?? ""
        request.metadata = metadata ?? ""
        request.attributes = attributes
        if let permission { request.permission = permission }
        return try await call(Self.administration("UpdateParticipant", of: room), request)
    }

    private static func person(_ identity: String, _ room: String) throws -> LiveKitRoomParticipantIdentity {
        var request = LiveKitRoomParticipantIdentity()
        request.room = room
        request.identity = try required(identity, "the participant's identity")
        return request
    }
}
