import LiveKitProtocol

extension SimulatedRooms {
    /// What a client does: joins with a token, creating the room where there is none and driving out who has the same identity.
    mutating func join(_ token: LiveKitAccessToken) throws -> LiveKitParticipantInfo {
        guard let video = token.video, video.roomJoin else { throw TwirpFailure.denied }
        ensureRoom(video.room, agents: token.agents)
        var info = LiveKitParticipantInfo()
        info.sid = makeID("PA_")
        info.identity = token.identity
        info.name = token.name
        info.metadata = token.metadata
        info.attributes = token.attributes
        info.state = .active
        info.kind = token.kind.info
        info.joinedAtMs = now()
        info.joinedAt = info.joinedAtMs / 1000
        info.permission.canPublish = video.canPublish ?? true
        info.permission.canSubscribe = video.canSubscribe ?? true
        info.permission.canPublishData = video.canPublishData ?? video.canPublish ?? true
        info.permission.canPublishSources = video.canPublishSources
        info.permission.canUpdateMetadata = video.canUpdateOwnMetadata ?? false
        info.permission.hidden = video.hidden
        return try change(video.room, or: .noRoom) { room in
            room.participants.removeAll { $0.identity == info.identity }
            room.participants.append(info)
            return info
        }
    }

    mutating func leave(_ identity: String, room: String) throws {
        try change(room, or: .noRoom) { $0.participants.removeAll { $0.identity == identity } }
        news.append(.left(identity: identity, room: room))
    }

    /// What a client does: publishes a track.
    mutating func publish(_ source: LiveKitTrackSource, by identity: String, room: String) throws -> LiveKitTrackInfo {
        var track = LiveKitTrackInfo()
        track.sid = makeID("TR_")
        track.type = source == .microphone ? .audio : .video
        track.source = source
        return try changeParticipant(identity, room, or: .noParticipant) { info in
            info.tracks.append(track)
            info.isPublisher = true
            return track
        }
    }

    // MARK: RoomService

    func listParticipants(_ request: LiveKitListParticipantsRequest) -> LiveKitListParticipantsResponse {
        var response = LiveKitListParticipantsResponse()
        response.participants = rooms[request.room]?.participants ?? []
        return response
    }

    func getParticipant(_ request: LiveKitRoomParticipantIdentity) throws -> LiveKitParticipantInfo {
        guard let info = rooms[request.room]?.participants.first(where: { $0.identity == request.identity }) else {
            throw TwirpFailure.noParticipant
        }
        return info
    }

    mutating func removeParticipant(_ request: LiveKitRoomParticipantIdentity) throws
        -> LiveKitRemoveParticipantResponse
    {
        _ = try getParticipant(request)
        try leave(request.identity, room: request.room)
        return LiveKitRemoveParticipantResponse()
    }

    /// The server answers with an empty message for a track that is not there.
    mutating func mute(_ request: LiveKitMuteRoomTrackRequest) throws -> LiveKitMuteRoomTrackResponse {
        try changeParticipant(request.identity, request.room, or: .nobody) { info in
            guard request.muted else {
                throw TwirpFailure("failed_precondition", "twirp error unknown: remote unmute not enabled")
            }
            var response = LiveKitMuteRoomTrackResponse()
            guard let index = info.tracks.firstIndex(where: { $0.sid == request.trackSid }) else { return response }
            info.tracks[index].muted = true
            response.track = info.tracks[index]
            return response
        }
    }

    mutating func update(_ request: LiveKitUpdateParticipantRequest) throws -> LiveKitParticipantInfo {
        try checkMetadata(request.metadata)
        return try changeParticipant(request.identity, request.room, or: .noParticipant) { info in
            if !request.name.isEmpty { info.name = request.name }
            if !request.metadata.isEmpty { info.metadata = request.metadata }
            for (key, value) in request.attributes { info.attributes[key] = value.isEmpty ? nil : value }
            if request.hasPermission { info.permission = request.permission }
            return info
        }
    }

    private mutating func changeParticipant<Result>(
        _ identity: String, _ room: String, or failure: TwirpFailure,
        _ body: (inout LiveKitParticipantInfo) throws -> Result
    ) throws -> Result {
        try change(room, or: failure) { room in
            guard let index = room.participants.firstIndex(where: { $0.identity == identity }) else { throw failure }
            return try body(&room.participants[index])
        }
    }
}

extension LiveKitAccessToken.Kind {
    fileprivate var info: LiveKitParticipantInfo.Kind {
        switch self {
        case .standard: .standard
        case .ingress: .ingress
        case .egress: .egress
        case .sip: .sip
        case .agent: .agent
        case .connector: .connector
        case .bridge: .bridge
        }
    }
}
