extension FfiEvent {
    /// Of an answer, the number of its request.
    var number: UInt64? {
        switch message {
        case .connect(let answer): answer.asyncID
        case .publishTrack(let answer): answer.asyncID
        case .performRpc(let answer): answer.asyncID
        case .textStreamReaderReadAll(let answer): answer.asyncID
        case .sendText(let answer): answer.asyncID
        case .disconnect(let answer), .unpublishTrack(let answer), .captureAudioFrame(let answer), .setLocalAttributes(let answer),
            .publishTranscription(let answer),
            .sendStreamHeader(let answer), .sendStreamChunk(let answer), .sendStreamTrailer(let answer):
            answer.asyncID
        default: nil
        }
    }

    /// Why a request failed.
    var problem: String? {
        switch message {
        case .disconnect(let answer), .unpublishTrack(let answer), .captureAudioFrame(let answer), .setLocalAttributes(let answer),
            .publishTranscription(let answer),
            .sendStreamHeader(let answer), .sendStreamChunk(let answer), .sendStreamTrailer(let answer):
            answer.hasError && !answer.error.isEmpty ? answer.error : nil
        case .sendText(let answer): answer.hasError ? answer.error.description_p : nil
        default: nil
        }
    }

    /// Nobody wants the event: what it carries is let go of.
    func dropHandles() {
        switch message {
        case .connect(let answer):
            guard case .result(let result) = answer.message else { return }
            for handle in result.handles { _ = LiveKitHandle(handle) }
        case .publishTrack(let answer):
            if case .publication(let publication) = answer.message { _ = LiveKitHandle(publication.handle) }
        case .roomEvent(let event): event.dropHandles()
        default: break
        }
    }
}

extension FfiConnectResult {
    /// Of room, participants and publications.
    var handles: [FfiOwnedHandle] {
        [room.handle, localParticipant.handle]
            + participants.flatMap { [$0.participant.handle] + $0.publications.map(\.handle) }
    }
}

extension FfiRoomEvent {
    func dropHandles() {
        switch message {
        case .participantConnected(let event): _ = LiveKitHandle(event.info.handle)
        case .trackPublished(let event): _ = LiveKitHandle(event.publication.handle)
        case .trackSubscribed(let event): _ = LiveKitHandle(event.track.handle)
        case .byteStreamOpened(let event): _ = LiveKitHandle(event.reader.handle)
        case .textStreamOpened(let event): _ = LiveKitHandle(event.reader.handle)
        case .dataPacketReceived(let event):
            if case .user(let packet) = event.value { _ = LiveKitHandle(packet.data.handle) }
        default: break
        }
    }
}
