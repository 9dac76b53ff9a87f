import LiveKitProtocol

extension SimulatedRooms {
    mutating func record(_ request: LiveKitRoomCompositeEgressRequest) throws -> LiveKitEgressInfo {
        try start(room: request.roomName, files: request.fileOutputs)
    }

    mutating func recordParticipant(_ request: LiveKitParticipantEgressRequest) throws -> LiveKitEgressInfo {
        if request.identity.isEmpty { throw TwirpFailure.invalid("request has missing or invalid field: identity") }
        return try start(room: request.roomName, files: request.fileOutputs)
    }

    func listEgress(_ request: LiveKitListEgressRequest) -> LiveKitListEgressResponse {
        var response = LiveKitListEgressResponse()
        response.items = recordings.filter { info in
            (request.roomName.isEmpty || info.roomName == request.roomName)
                && (request.egressID.isEmpty || info.egressID == request.egressID)
                && (!request.active || info.status == .egressStarting || info.status == .egressActive)
        }
        return response
    }

    /// A recording is complete as soon as its end has been answered.
    mutating func stopEgress(_ request: LiveKitStopEgressRequest) throws -> LiveKitEgressInfo {
        guard let index = recordings.firstIndex(where: { $0.egressID == request.egressID }) else {
            throw TwirpFailure("not_found", "twirp error unknown: egress does not exist")
        }
        guard recordings[index].status == .egressActive else {
            throw TwirpFailure("failed_precondition", "egress with status EGRESS_COMPLETE cannot be stopped")
        }
        recordings[index].endedAt = now() * 1_000_000
        var answer = recordings[index]
        answer.status = .egressEnding
        recordings[index].status = .egressComplete
        return answer
    }

    private mutating func start(room name: String, files: [LiveKitEncodedFileOutput]) throws -> LiveKitEgressInfo {
        guard let room = rooms[name] else { throw TwirpFailure.noRoom }
        guard let file = files.first, !file.filepath.isEmpty else {
            throw TwirpFailure.invalid("request has missing or invalid field: output")
        }
        var info = LiveKitEgressInfo()
        info.egressID = makeID("EG_")
        info.roomID = room.info.sid
        info.roomName = name
        info.status = .egressActive
        info.startedAt = now() * 1_000_000
        var result = LiveKitFileInfo()
        result.filename = file.filepath
        result.startedAt = info.startedAt
        info.fileResults = [result]
        recordings.append(info)
        info.status = .egressStarting
        return info
    }
}
