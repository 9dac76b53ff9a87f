import Cryptography

/// Recordings, made by LiveKit's egress service.
extension LiveKitServerAPI {
    /// Records the sound of a whole room. It is not tried again.
    ///
    /// - Parameter separatesAgent: agents in one channel of the file, everybody else in the other.
    package func record(room: String, to file: LiveKitRecordingFile, separatesAgent: Bool = false) async throws
        -> LiveKitEgressInfo
    {
        var request = LiveKitRoomCompositeEgressRequest()
        request.roomName = try Self.required(room, "the name of the room")
        request.audioOnly = true
        request.audioMixing = separatesAgent ? .dualChannelAgent : .defaultMixing
        request.fileOutputs = [try Self.output(file)]
        return try await call(Self.recording("StartRoomCompositeEgress"), request)
    }

    /// Records one participant for as long as it is in the room. It is not tried again.
    package func record(participant identity: String, room: String, to file: LiveKitRecordingFile) async throws
        -> LiveKitEgressInfo
    {
        var request = LiveKitParticipantEgressRequest()
        request.roomName = try Self.required(room, "the name of the room")
        request.identity = try Self.required(identity, "the participant's identity")
        request.fileOutputs = [try Self.output(file)]
        return try await call(Self.recording("StartParticipantEgress"), request)
    }

    /// Ends a recording; the file is complete when its status is `egressComplete`. Code `failedPrecondition` when it has ended.
    package func stopRecording(_ id: String) async throws -> LiveKitEgressInfo {
        var request = LiveKitStopEgressRequest()
        request.egressID = try Self.required(id, "the id of the recording")
        return try await call(Self.recording("StopEgress"), request)
    }

    /// Recordings, those of one room or id where given; at most the 1,000 or so of ten pages.
    package func listRecordings(room: String = "", id: String = "", activeOnly: Bool = false) async throws
        -> [LiveKitEgressInfo]
    {
        var request = LiveKitListEgressRequest()
        request.roomName = room
        request.egressID = id
        request.active = activeOnly
        var items: [LiveKitEgressInfo] = []
        for _ in 0..<10 {
            let page: LiveKitListEgressResponse = try await call(
                Self.recording("ListEgress", isIdempotent: true), request)
            items += page.items
            guard !page.nextPageToken.token.isEmpty else { break }
            request.pageToken = page.nextPageToken
        }
        return items
    }

    private static func recording(_ method: String, isIdempotent: Bool = false) -> TwirpCall {
        var grant = LiveKitVideoGrant()
        grant.roomRecord = true
        // The server waits 20 s for an egress service that takes a recording.
        return TwirpCall(
            service: "Egress", method: method, grant: LiveKitAccessToken(video: grant), isIdempotent: isIdempotent,
            limit: .seconds(25))
    }

    private static func output(_ file: LiveKitRecordingFile) throws -> LiveKitEncodedFileOutput {
        var output = LiveKitEncodedFileOutput()
        output.filepath = try required(file.path, "the path of the file")
        if let bucket = file.bucket {
            output.s3.bucket = try required(bucket.name, "the name of the bucket")
            output.s3.region = bucket.region
            output.s3.endpoint = bucket.endpoint
            output.s3.forcePathStyle = bucket.usesPathStyle
            output.s3.accessKey = bucket.accessKey
            output.s3.secret = bucket.secret?.revealed ?? ""
        }
        return output
    }
}
