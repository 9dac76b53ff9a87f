import Logging
import NIOCore
import SwiftProtobuf

/// A connection to a room: joins, publishes the agent's track, takes microphones, leaves. On the session's event loop.
///
/// Whatever happens, it finishes its join and then leaves by itself, since a join that is let go of, and a room that is left to the server to
/// close, leak in the library.
final class RoomLink {
    /// What the room tells; on the event loop.
    enum Event {
        /// The agent is in the room. Microphones that are there already are told by `published`.
        case joined(people: [(identity: String, kind: UInt32)])
        /// Others can subscribe to the agent's track.
        case trackPublished(sid: String)
        /// Somebody hears the agent's track from now on.
        case trackHeard
        case personJoined(identity: String, kind: UInt32)
        case personLeft(identity: String, reason: UInt32)
        /// `isRecorded`: its program records it until it is heard, and sends that.
        case microphonePublished(identity: String, sid: String, publication: LiveKitHandle, isRecorded: Bool)
        case microphoneUnpublished(identity: String, sid: String)
        case microphoneSubscribed(identity: String, track: LiveKitHandle)
        case textOpened(identity: String, topic: String, reader: LiveKitHandle)
        case bytesOpened(identity: String, topic: String, reader: LiveKitHandle, attributes: [String: String], mimeType: String)
        case dtmf(identity: String, digit: String)
        case rpc(method: String, caller: String, payload: String, invocation: UInt64)
        case reconnecting(Bool)
        case disconnected(reason: UInt32)
        case failed(LiveKitError)
    }

    private enum State {
        case idle, joining
        case joined(room: LiveKitHandle, participant: LiveKitHandle)
        case left
    }

    /// Of the signal connection. What comes after it the library gives up after 15 s.
    private static let connectTimeout: UInt64 = 5_000
    /// Longer than both together.
    private static let connectPatience = TimeAmount.seconds(30)
    /// From the end of the track to leaving: the library negotiates that end first. A room that is left before is freed late, with its threads.
    private static let settling = TimeAmount.seconds(1)
    private static let microphone: UInt32 = 2
    private static let audio: UInt32 = 1
    /// Among the features of a track.
    private static let preconnectBuffer: UInt32 = 6

    let library: LiveKitLibrary
    private let eventLoop: any EventLoop
    private let logger: Logger
    private let tell: (Event) -> Void
    private var state = State.idle
    private var publishedTrack: (sid: String, publication: LiveKitHandle)?
    private var offeredMethods: [String] = []

    init(library: LiveKitLibrary, on eventLoop: any EventLoop, logger: Logger, tell: @escaping (Event) -> Void) {
        self.library = library
        self.eventLoop = eventLoop
        self.logger = logger
        self.tell = tell
    }

    /// The local participant, while the agent is in the room.
    var participant: UInt64? {
        if case .joined(_, let participant) = state { participant.id } else { nil }
    }

    // MARK: Joining

    func join(url: String, token: String) {
        guard case .idle = state else { return }
        state = .joining
        ask(within: Self.connectPatience, orElse: LiveKitError(.connect, "the room cannot be joined")) { number in
            .connect(
                .with {
                    $0.url = url
                    $0.token = token
                    $0.requestAsyncID = number
                    $0.options = .with {
                        $0.autoSubscribe = false
                        $0.adaptiveStream = false
                        $0.dynacast = false
                        // By the time that the library tried again, the room might have another owner, whom it would put out.
                        $0.joinRetries = 0
                        $0.connectTimeoutMs = Self.connectTimeout
                    }
                })
        } _: { link, event in
            link.connected(event)
        }
    }

    private func connected(_ event: FfiEvent) {
        guard case .connect(let answer) = event.message else { return }
        let isWanted = if case .joining = state { true } else { false }
        guard case .result(let result) = answer.message else {
            state = .left
            return isWanted ? tell(.failed(LiveKitError(.connect, "the room cannot be joined: \(answer.error)"))) : ()
        }
        let room = LiveKitHandle(result.room.handle)
        let participant = LiveKitHandle(result.localParticipant.handle)
        if isWanted {
            state = .joined(room: room, participant: participant)
            listen(room, participant)
        }
        // Also for a room that is not wanted any more: without it the library breaks after 15 s.
        do { try library.request(.readyForRoomEvent(.with { $0.roomHandle = room.id })) } catch { return fail(error) }
        guard isWanted else {
            for other in result.handles.dropFirst(2) { _ = LiveKitHandle(other) }
            return Self.leave(room, participant, library, eventLoop)
        }
        var microphones: [Event] = []
        for present in result.participants {
            _ = LiveKitHandle(present.participant.handle)
            for publication in present.publications {
                if let event = self.microphone(present.participant.info.identity, publication) { microphones.append(event) }
            }
        }
        tell(.joined(people: result.participants.map { ($0.participant.info.identity, $0.participant.info.kind) }))
        for event in microphones { tell(event) }
    }

    private func listen(_ room: LiveKitHandle, _ participant: LiveKitHandle) {
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let eventLoop = eventLoop
        for handle in [room.id, participant.id] {
            library.listen(to: handle) { event in eventLoop.execute { bound.value.received(event) } }
        }
    }

    func publish(_ track: AgentTrack) {
        guard case .joined(_, let participant) = state else { return }
        ask(orElse: LiveKitError(.publish, "the agent's track cannot be published")) { number in
            .publishTrack(
                .with {
                    $0.localParticipantHandle = participant.id
                    $0.trackHandle = track.track.id
                    $0.requestAsyncID = number
                    $0.options = .with {
                        $0.source = Self.microphone
                        $0.audioEncoding = .with { $0.maxBitrate = AgentTrack.bitrate }
                        $0.dtx = true
                        $0.red = false
                    }
                })
        } _: { link, event in
            link.published(event)
        }
    }

    private func published(_ event: FfiEvent) {
        guard case .publishTrack(let answer) = event.message else { return }
        guard case .publication(let publication) = answer.message else {
            return fail(LiveKitError(.publish, "the agent's track cannot be published: \(answer.error)"))
        }
        let handle = LiveKitHandle(publication.handle)
        guard case .joined = state else { return }
        publishedTrack = (publication.info.sid, handle)
        tell(.trackPublished(sid: publication.info.sid))
    }

    func subscribe(_ publication: LiveKitHandle, _ on: Bool) {
        do {
            try library.request(
                .setSubscribed(
                    .with {
                        $0.subscribe = on
                        $0.publicationHandle = publication.id
                    }))
        } catch { logger.warning("a microphone cannot be subscribed to", metadata: ["error": "\(error)"]) }
    }

    // MARK: Events

    private func received(_ event: FfiEvent) {
        guard case .joined = state else { return event.dropHandles() }
        switch event.message {
        case .roomEvent(let room): received(room)
        case .rpcMethodInvocation(let call):
            tell(.rpc(method: call.method, caller: call.callerIdentity, payload: call.payload, invocation: call.invocationID))
        default: event.dropHandles()
        }
    }

    private func received(_ event: FfiRoomEvent) {
        switch event.message {
        case .participantConnected(let joined):
            _ = LiveKitHandle(joined.info.handle)
            tell(.personJoined(identity: joined.info.info.identity, kind: joined.info.info.kind))
        case .participantDisconnected(let left): tell(.personLeft(identity: left.participantIdentity, reason: left.disconnectReason))
        case .trackPublished(let published):
            if let event = microphone(published.participantIdentity, published.publication) { tell(event) }
        case .trackUnpublished(let gone): tell(.microphoneUnpublished(identity: gone.participantIdentity, sid: gone.publicationSid))
        case .trackSubscribed(let subscribed):
            let track = LiveKitHandle(subscribed.track.handle)
            if subscribed.track.info.kind == Self.audio { tell(.microphoneSubscribed(identity: subscribed.participantIdentity, track: track)) }
        case .trackSubscriptionFailed(let failed):
            logger.warning("a microphone cannot be subscribed to", metadata: ["error": "\(failed.error)"])
        case .localTrackSubscribed: tell(.trackHeard)
        case .localTrackRepublished(let republished): tell(.trackPublished(sid: republished.info.sid))
        case .dataPacketReceived(let packet): received(packet)
        case .textStreamOpened(let opened):
            tell(
                .textOpened(
                    identity: opened.participantIdentity, topic: opened.reader.info.topic, reader: LiveKitHandle(opened.reader.handle)))
        case .byteStreamOpened(let opened):
            tell(
                .bytesOpened(
                    identity: opened.participantIdentity, topic: opened.reader.info.topic, reader: LiveKitHandle(opened.reader.handle),
                    attributes: opened.reader.info.attributes, mimeType: opened.reader.info.mimeType))
        case .reconnecting: tell(.reconnecting(true))
        case .reconnected: tell(.reconnecting(false))
        case .disconnected(let gone): tell(.disconnected(reason: gone.reason))
        default: event.dropHandles()
        }
    }

    private func received(_ packet: FfiDataPacketReceived) {
        switch packet.value {
        case .sipDtmf(let key): tell(.dtmf(identity: packet.participantIdentity, digit: key.digit))
        case .user(let user): _ = LiveKitHandle(user.data.handle)
        case nil: break
        }
    }

    /// Nil for what is no microphone.
    private func microphone(_ identity: String, _ publication: FfiOwnedTrackPublication) -> Event? {
        let handle = LiveKitHandle(publication.handle)
        guard publication.info.kind == Self.audio, publication.info.source == Self.microphone else { return nil }
        let isRecorded = publication.info.audioFeatures.contains(Self.preconnectBuffer)
        return .microphonePublished(identity: identity, sid: publication.info.sid, publication: handle, isRecorded: isRecorded)
    }

    /// Sends a request and hears of its answer on the event loop, as long as this link is there; without an answer the link fails with `problem`.
    private func ask(
        within patience: TimeAmount = LiveKitLibrary.patience, orElse problem: LiveKitError, _ make: (UInt64) -> FfiRequest.OneOf_Message,
        _ answered: @escaping (RoomLink, FfiEvent) -> Void
    ) {
        let bound = NIOLoopBound((self, answered), eventLoop: eventLoop)
        let eventLoop = eventLoop
        do {
            try library.call(on: eventLoop, within: patience, make) { answer in
                eventLoop.execute {
                    let (link, answered) = bound.value
                    switch answer {
                    case .success(let event): answered(link, event)
                    case .failure(let error): link.fail(LiveKitError(problem.code, "\(problem.message): \(error.message)"))
                    }
                }
            }
        } catch {
            fail(error)
        }
    }

    private func fail(_ error: LiveKitError) {
        if case .left = state { return }
        leave()
        tell(.failed(error))
    }

    /// Lets people's programs call the agent.
    func offer(_ methods: [String]) {
        guard let participant else { return }
        for method in methods {
            _ = try? library.request(
                .registerRpcMethod(
                    .with {
                        $0.localParticipantHandle = participant
                        $0.method = method
                    }))
        }
        offeredMethods = methods
    }

    // MARK: Leaving

    /// Takes the track out of the room and leaves. Nothing is told afterwards.
    func leave() {
        defer { state = .left }
        guard case .joined(let room, let participant) = state else { return }
        library.forget(room.id)
        library.forget(participant.id)
        // In the library a method holds the room that holds the method: without this no room would ever be freed.
        for method in offeredMethods {
            _ = try? library.request(
                .unregisterRpcMethod(
                    .with {
                        $0.localParticipantHandle = participant.id
                        $0.method = method
                    }))
        }
        guard let track = publishedTrack else { return Self.leave(room, participant, library, eventLoop) }
        publishedTrack = nil
        let (library, eventLoop) = (library, eventLoop)
        do {
            try library.call(on: eventLoop) { number in
                .unpublishTrack(
                    .with {
                        $0.localParticipantHandle = participant.id
                        $0.trackSid = track.sid
                        $0.stopOnUnpublish = true
                        $0.requestAsyncID = number
                    })
            } _: { _ in
                _ = track.publication
                eventLoop.scheduleTask(in: Self.settling) { Self.leave(room, participant, library, eventLoop) }
            }
        } catch {
            Self.leave(room, participant, library, eventLoop)
        }
    }

    /// The handles are kept until the library has left.
    private static func leave(
        _ room: LiveKitHandle, _ participant: LiveKitHandle, _ library: LiveKitLibrary, _ eventLoop: any EventLoop
    ) {
        try? library.call(on: eventLoop) { number in
            .disconnect(
                .with {
                    $0.roomHandle = room.id
                    $0.requestAsyncID = number
                })
        } _: { _ in
            withExtendedLifetime((room, participant)) {}
        }
    }
}
