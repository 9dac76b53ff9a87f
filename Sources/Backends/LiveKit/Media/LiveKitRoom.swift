import Audio
import BackendKit
import Logging
import NIOCore

/// A session's room: the agent's track and words out, the callers' microphones, chat, keys and calls in. On the session's event loop.
///
/// Unchecked because it is confined to that loop: the session is there too, and what comes from the library's threads hops to it.
final class LiveKitRoom: MediaPort, @unchecked Sendable {
    struct Connection: Sendable {
        var library: LiveKitLibrary
        var url: String
        /// A token for the agent; new for every join.
        var token: @Sendable (RoomGrantRecord, _ attributes: [String: String]) throws -> String
        var follow: RoomPeople.Follow
        var figures: LiveKitFigures
        var telephony: Telephony?
    }

    private enum Life {
        case joining, joined
        /// Another owner is to take the room: nothing more is said, until it is there.
        case handingOver
        case left
    }

    /// As the session does while it goes on.
    private static let tickEvery = TimeAmount.milliseconds(20)
    /// So long after the track was published the agent speaks although nobody has told that it is heard. On a machine that is overloaded people need
    /// seconds to subscribe, and what is said before is lost to them.
    private static let hearingPatience = TimeAmount.seconds(3)
    /// The next owner is there within this, or there is none.
    private static let handOverPatience = TimeAmount.seconds(20)
    /// For what is still to be sent when the session is over.
    private static let lastWordsPatience = TimeAmount.seconds(2)
    private static let rejoinDelays: [TimeAmount] = [.milliseconds(200), .seconds(1), .seconds(2), .seconds(4)]

    let connection: Connection
    private let eventLoop: any EventLoop
    let logger: Logger
    let record: RoomGrantRecord
    /// The session owns its port; what is told to it afterwards goes nowhere.
    private weak var session: (any RoomSession)?
    private var life = Life.joining
    private var link: RoomLink?
    private var track: AgentTrack?
    private var people: RoomPeople
    private var speakers = SpeakerChoice()
    /// Only when the session no longer ticks.
    private var ticks: RepeatedTask?
    private var isReady = false
    private var isAway = false
    private var rejoins = 0
    private let words: RoomWords
    private lazy var microphones = RoomMicrophones(
        library: connection.library, on: eventLoop, logger: logger, figures: connection.figures
    ) { [weak self] in self?.heard($0, $1, $2) }
    private lazy var reader = RoomReader(library: connection.library, on: eventLoop, logger: logger) { [weak self] in self?.received($0) }
    private lazy var early = EarlySpeech(on: eventLoop) { [weak self] in self?.heardBefore($0) }
    /// A recording is sent to the first agent that hears its track.
    private var expectsRecordings: Bool
    /// When the last join began.
    private var joinedAt = NIODeadline.uptimeNanoseconds(0)
    /// The session is over, and not only this owner's part of it.
    private var isOver = false
    private lazy var calls = RoomCalls(library: connection.library, on: eventLoop) { [weak self] in self?.session?.receive($0) }

    init(_ request: RoomRequest, _ record: RoomGrantRecord, _ connection: Connection, on eventLoop: any EventLoop, session: any RoomSession) {
        self.connection = connection
        self.eventLoop = eventLoop
        self.logger = request.logger
        self.record = record
        self.session = session
        self.expectsRecordings = !request.isTakeover
        self.people = RoomPeople(follow: record.participant.map { .participant($0) } ?? connection.follow)
        self.words = RoomWords(
            library: connection.library, on: eventLoop, logger: request.logger, identity: record.identity, session: request.session,
            isTakeover: request.isTakeover)
    }

    // MARK: Joining

    func join() {
        guard !record.room.isEmpty else {
            let bound = NIOLoopBound(self, eventLoop: eventLoop)
            return eventLoop.execute { bound.value.failed("the session's record names no room", isFinal: true) }
        }
        connection.figures.joined()
        joinedAt = eventLoop.now
        do {
            if track == nil { track = try AgentTrack(library: connection.library, name: "agent") }
            let token = try connection.token(record, words.attributes)
            let link = RoomLink(library: connection.library, on: eventLoop, logger: logger) { [weak self] in self?.received($0) }
            self.link = link
            link.join(url: connection.url, token: token)
        } catch {
            failed("\(error)", isFinal: false)
        }
    }

    private func received(_ event: RoomLink.Event) {
        switch event {
        case .joined(let present): joined(present)
        case .trackPublished(let sid): published(sid)
        case .trackHeard: heard()
        case .personJoined(let identity, let kind):
            people.joined(identity, kind: kind)
            peopleChanged()
        case .personLeft(let identity, let reason): left(identity, reason)
        case .microphonePublished(let identity, let sid, let publication, let isRecorded):
            if isRecorded, expectsRecordings { early.expect(identity) }
            microphones.published(sid, of: identity, publication)
            people.published(identity, microphone: sid)
            peopleChanged()
        case .microphoneUnpublished(let identity, let sid):
            microphones.unpublished(sid)
            people.unpublished(identity, microphone: sid)
            peopleChanged()
        case .microphoneSubscribed(let identity, let track):
            if let sid = people.followed.first(where: { $0.identity == identity })?.microphone { microphones.subscribed(sid, track) }
        case .textOpened(let identity, let topic, let stream):
            if topic == RoomReader.chat, people.isPerson(identity) { reader.readChat(stream) }
        case .bytesOpened(let identity, let topic, let stream, let attributes, let type):
            if topic == PreconnectAudio.topic, people.isFollowed(identity) { reader.readRecording(stream, of: identity, attributes, type: type) }
        case .dtmf(let identity, let digit):
            if people.isFollowed(identity) { session?.receive(.dtmf(digit)) }
        case .rpc(let method, let caller, let payload, let invocation):
            guard let participant = link?.participant else { return }
            calls.asked(method, payload, invocation, isPerson: people.isPerson(caller), by: participant)
        case .reconnecting(let on):
            logger.notice(on ? "the room's connection is lost, the library looks for another" : "the room's connection is back")
        case .disconnected(let reason): disconnected(reason)
        case .failed(let error): failed(error.message, isFinal: false)
        }
    }

    private func joined(_ present: [(identity: String, kind: UInt32)]) {
        guard life == .joining, let link, let track else { return }
        life = .joined
        rejoins = 0
        logger.info(
            "in the room",
            metadata: ["room": "\(record.room)", "people": "\(present.count)", "milliseconds": "\((eventLoop.now - joinedAt).nanoseconds / 1_000_000)"])
        for person in present { people.joined(person.identity, kind: person.kind) }
        link.publish(track)
        calls.begin()
        link.offer(RoomCalls.methods)
        sendState()
        peopleChanged()
    }

    private func published(_ sid: String) {
        words.track = sid
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.assumeIsolated().scheduleTask(in: Self.hearingPatience) {
            if bound.value.words.track == sid { bound.value.heard() }
        }
    }

    /// Somebody hears the agent's track: it may speak.
    private func heard() {
        guard life == .joined, track?.isHeard == false else { return }
        track?.isHeard = true
        peopleChanged()
    }

    /// Whom the agent follows may have changed: subscribes to their microphones, and lets the conversation begin.
    private func peopleChanged() {
        guard life == .joined else { return }
        microphones.want(Set(people.followed.compactMap(\.microphone)), by: link)
        guard !people.followed.isEmpty else { return }
        if isAway {
            isAway = false
            session?.callerBack()
        }
        guard !isReady, track?.isHeard == true else { return }
        isReady = true
        session?.receive(.ready)
    }

    private func left(_ identity: String, _ reason: UInt32) {
        let person = people.people.first { $0.identity == identity }
        let wasFollowed = people.isFollowed(identity)
        people.left(identity)
        speakers.left(identity)
        microphones.left(identity)
        early.received(nil, of: identity)
        guard let person, wasFollowed else { return }
        guard people.followed.isEmpty else { return peopleChanged() }
        guard RoomPeople.mayReturn(reason, isPhone: person.isPhone) else { return session?.callerLeft(RoomPeople.departure(reason)) ?? () }
        isAway = true
        session?.callerAway("lost the connection to the room")
    }

    private func disconnected(_ reason: UInt32) {
        let old = link
        link = nil
        old?.leave()
        stopAudio()
        switch reason {
        case 2:
            let session = session
            leave()
            session?.evicted("another agent is in the room under this identity")
        case 4: failed("the agent was removed from the room", isFinal: true)
        // The server closes a room without people after a while: whoever had called was gone before the agent came.
        case 5, 10: failed(RoomPeople.departure(reason) + (isReady ? "" : " before the agent had anybody to talk to"), isFinal: true)
        default: failed("the room is lost (reason \(reason))", isFinal: false)
        }
    }

    /// Tries again for a while: a server that restarts is back within seconds.
    private func failed(_ reason: String, isFinal: Bool) {
        guard life != .left else { return }
        guard !isFinal, life != .handingOver, rejoins < Self.rejoinDelays.count else {
            let session = session
            leave()
            session?.failed(reason, isFinal: isFinal)
            return
        }
        logger.warning("the room is joined again", metadata: ["reason": "\(reason)", "attempt": "\(rejoins + 1)"])
        link = nil
        stopAudio()
        words.restart()
        // A track is published once. The session stands still, because nobody takes what it plays.
        if life == .joined { track = try? AgentTrack(library: connection.library, name: "agent") }
        life = .joining
        people = RoomPeople(follow: people.follow)
        expectsRecordings = false
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.assumeIsolated().scheduleTask(in: Self.rejoinDelays[rejoins]) {
            if bound.value.life == .joining { bound.value.join() }
        }
        rejoins += 1
    }

    // MARK: What comes in

    private func heard(_ identity: String, _ samples: ByteBuffer, _ arrival: Int64) {
        guard life == .joined, !early.keep(samples, of: identity) else { return }
        if people.follow == .activeSpeaker, people.people.count > 1 {
            guard speakers.hears(identity, level: SpeakerChoice.level(samples), at: arrival) else { return }
        }
        session?.callerAudio(samples, sampleRate: CallerStream.sampleRate, channels: 1, arrival: arrival)
    }

    private func received(_ item: RoomReader.Item) {
        switch item {
        case .chat(let text): session?.receive(.text(text, interrupts: true, speak: true))
        case .recording(let identity, let recording): early.received(recording, of: identity)
        }
    }

    private func heardBefore(_ pieces: [EarlySpeech.Piece]) {
        guard life == .joined else { return }
        for piece in pieces { session?.keptAudio(piece.samples, sampleRate: piece.rate, channels: piece.channels) }
        session?.keptAudioEnded()
    }

    // MARK: What goes out

    let hasMarks = false
    let handled: UInt64 = 0
    var untaken: SessionTime { SessionTime(samples: Int64(track?.waitingSamples ?? 0)) }
    func release(through number: UInt64) {}
    /// The session's own ticks drive the track, so that a room wakes the event loop for nothing.
    func flush() { if life == .joined { sendAudio() } }
    var client: ClientRecord { ClientRecord(protocolName: "livekit", handshake: record.handshake) }

    func play(_ samples: Span<Int16>, reply: ReplyNumber, firstSample: SessionTime) { track?.play(samples) }
    func clear(reply: ReplyNumber, heard: SessionTime) { track?.clear() }

    func notify(_ notice: ClientNotice) {
        tellProgram(notice)
        if words.tell(notice, by: link?.participant, caller: speaking) { sendState() }
    }

    /// What is meant for the program of the person whom the agent follows.
    private func tellProgram(_ notice: ClientNotice) {
        let participant = link?.participant
        switch notice {
        case .toolRequested(let name, let call, let arguments):
            calls.run(name, call: call, arguments: arguments, of: speaking?.identity, by: participant)
        case .response(let id, _, let json): if let participant { calls.answered(id, json: json, by: participant) }
        case .errorResponse(let id, let message): if let participant { calls.answered(id, problem: message, by: participant) }
        default: break
        }
    }

    /// Of those whom the agent follows, the one who spoke last.
    var speaking: RoomPeople.Person? {
        speakers.speaker.flatMap { id in people.followed.first { $0.identity == id } } ?? people.followed.first
    }

    private func sendState() {
        guard life == .joined, let participant = link?.participant else { return }
        words.sendState(by: participant)
    }

    // MARK: Leaving

    /// Silent from now on, but still there, so that the people in the room see one agent all the time: the next owner puts this one out.
    func handOver() {
        guard life == .joined || life == .joining else { return }
        track?.clear()
        life = .handingOver
        sendAlone()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.assumeIsolated().scheduleTask(in: Self.handOverPatience) { bound.value.leave() }
    }

    func end(_ reason: EndReason) {
        isOver = reason.endsCall
        // The last words are on their way to the caller, who may wait no longer for the library.
        words.flush { [self] in leave() }
        guard life != .left else { return }
        sendAlone()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.assumeIsolated().scheduleTask(in: Self.lastWordsPatience) { bound.value.leave() }
    }

    private func sendAudio() { track?.tick(Int64(eventLoop.now.uptimeNanoseconds)) }

    /// The session sends nothing more, and the room stays for a while.
    private func sendAlone() {
        guard ticks == nil else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ticks = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: Self.tickEvery) { _ in bound.value.sendAudio() }
    }

    private func leave() {
        guard life != .left else { return }
        life = .left
        let phone = isOver ? people.lonePhone : nil
        stopAudio()
        connection.figures.dropped(messages: words.close())
        link?.leave()
        if let phone { hangUp(phone) }
        link = nil
        track = nil
    }

    private func stopAudio() {
        ticks?.cancel()
        ticks = nil
        microphones.close()
        reader.close()
        early.close()
    }
}
