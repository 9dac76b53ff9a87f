import Audio
import BackendKit
import Foundation
import Logging
import NIOCore
import SwiftProtobuf

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

    /// A microphone that is listened to.
    private struct Microphone {
        var identity: String
        var publication: LiveKitHandle
        /// Without it the library ends the stream.
        var track: LiveKitHandle?
        var stream: CallerStream?
        /// The library's stream; its frames stop when it is let go of.
        var handle: LiveKitHandle?
        var isWanted = false
    }

    private enum Life {
        case joining, joined
        /// Another owner is to take the room: nothing more is said, until it is there.
        case handingOver
        case left
    }

    private static let tickEvery = TimeAmount.milliseconds(10)
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
    private let isTakeover: Bool
    let record: RoomGrantRecord
    /// The session owns its port; what is told to it afterwards goes nowhere.
    private weak var session: (any RoomSession)?
    private var life = Life.joining
    private var link: RoomLink?
    private var track: AgentTrack?
    private var outbox: Outbox
    private var people: RoomPeople
    private var speakers = SpeakerChoice()
    private var microphones: [String: Microphone] = [:]
    private var transcription: Transcription
    private var state = AgentState.initializing
    private var trackSid = ""
    private var ticks: RepeatedTask?
    private var isReady = false
    private var isAway = false
    private var rejoins = 0
    /// When the last join began.
    private var joinedAt = NIODeadline.uptimeNanoseconds(0)
    /// The session is over, and not only this owner's part of it.
    private var isOver = false
    private lazy var calls = RoomCalls(library: connection.library, on: eventLoop) { [weak self] in self?.session?.receive($0) }
    private var readings: [UInt64: LiveKitHandle] = [:]

    init(_ request: RoomRequest, _ record: RoomGrantRecord, _ connection: Connection, on eventLoop: any EventLoop, session: any RoomSession) {
        self.connection = connection
        self.eventLoop = eventLoop
        self.logger = request.logger
        self.isTakeover = request.isTakeover
        self.record = record
        self.session = session
        self.people = RoomPeople(follow: record.participant.map { .participant($0) } ?? connection.follow)
        self.outbox = Outbox(library: connection.library, on: eventLoop, logger: request.logger)
        self.transcription = Transcription(prefix: String(UInt32.random(in: .min ... .max), radix: 36))
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
            let token = try connection.token(record, attributes)
            let link = RoomLink(library: connection.library, on: eventLoop, logger: logger) { [weak self] in self?.received($0) }
            self.link = link
            link.join(url: connection.url, token: token)
        } catch {
            failed("\(error)", isFinal: false)
        }
    }

    private var attributes: [String: String] { ["lk.agent.state": state.rawValue] }

    private func received(_ event: RoomLink.Event) {
        switch event {
        case .joined(let present): joined(present)
        case .trackPublished(let sid): published(sid)
        case .trackHeard: heard()
        case .personJoined(let identity, let kind):
            people.joined(identity, kind: kind)
            peopleChanged()
        case .personLeft(let identity, let reason): left(identity, reason)
        case .microphonePublished(let identity, let sid, let publication):
            microphones[sid] = Microphone(identity: identity, publication: publication)
            people.published(identity, microphone: sid)
            peopleChanged()
        case .microphoneUnpublished(let identity, let sid):
            stopListening(sid)
            microphones[sid] = nil
            people.unpublished(identity, microphone: sid)
            peopleChanged()
        case .microphoneSubscribed(let identity, let microphone): subscribed(identity, microphone)
        case .textOpened(let identity, let topic, let reader, _): read(identity, topic, reader)
        case .bytesOpened(let identity, let topic, let reader, let attributes, let type): readBytes(identity, topic, reader, attributes, type)
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
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        ticks = eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: Self.tickEvery) { _ in
            bound.value.track?.tick(Int64(bound.value.eventLoop.now.uptimeNanoseconds))
        }
        if let participant = link.participant { calls.register(participant) }
        sendState()
        peopleChanged()
    }

    private func published(_ sid: String) {
        trackSid = sid
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.assumeIsolated().scheduleTask(in: Self.hearingPatience) {
            if bound.value.trackSid == sid { bound.value.heard() }
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
        let wanted = Set(people.followed.compactMap(\.microphone))
        for sid in Array(microphones.keys) {
            guard var microphone = microphones[sid], microphone.isWanted != wanted.contains(sid) else { continue }
            microphone.isWanted = wanted.contains(sid)
            microphones[sid] = microphone
            if !microphone.isWanted { stopListening(sid) }
            link?.subscribe(microphone.publication, microphone.isWanted)
        }
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
        for (sid, microphone) in microphones where microphone.identity == identity {
            stopListening(sid)
            microphones[sid] = nil
        }
        guard let person, wasFollowed else { return }
        guard people.followed.isEmpty else { return peopleChanged() }
        guard RoomPeople.mayReturn(reason, isPhone: person.isPhone) else {
            // Of a room that is closed the caller's end may be told before the agent's own.
            return session?.callerLeft([5, 10].contains(reason) ? "the room was closed" : "left the room") ?? ()
        }
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
        case 5, 10: failed("the room was closed" + (isReady ? "" : " before the agent had anybody to talk to"), isFinal: true)
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
        outbox.close()
        outbox = Outbox(library: connection.library, on: eventLoop, logger: logger)
        // A track is published once. The session stands still, because nobody takes what it plays.
        if life == .joined { track = try? AgentTrack(library: connection.library, name: "agent") }
        life = .joining
        trackSid = ""
        microphones = [:]
        people = RoomPeople(follow: people.follow)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.assumeIsolated().scheduleTask(in: Self.rejoinDelays[rejoins]) {
            if bound.value.life == .joining { bound.value.join() }
        }
        rejoins += 1
    }

    // MARK: What comes in

    private func subscribed(_ identity: String, _ microphone: LiveKitHandle) {
        guard let sid = people.followed.first(where: { $0.identity == identity })?.microphone, microphones[sid]?.isWanted == true else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let stream = CallerStream(on: eventLoop) { samples, arrival in bound.value.audio(of: identity, samples, arrival) }
        do {
            let opened = try connection.library.request(
                .newAudioStream(
                    .with {
                        $0.trackHandle = microphone.id
                        $0.type = 0
                        $0.sampleRate = UInt32(CallerStream.sampleRate)
                        $0.numChannels = 1
                        $0.frameSizeMs = UInt32(CallerStream.frameMilliseconds)
                        $0.queueSizeFrames = 25
                    })
            ).newAudioStream.stream
            let handle = LiveKitHandle(opened.handle)
            unsafe connection.library.listen(toAudio: handle.id) { samples, _, _ in unsafe stream.push(samples) }
            stopListening(sid)
            microphones[sid]?.track = microphone
            microphones[sid]?.stream = stream
            microphones[sid]?.handle = handle
        } catch { logger.error("a microphone cannot be heard", metadata: ["error": "\(error)"]) }
    }

    private func audio(of identity: String, _ samples: ByteBuffer, _ arrival: Int64) {
        guard life == .joined else { return }
        if people.follow == .activeSpeaker, people.people.count > 1 {
            guard speakers.hears(identity, level: SpeakerChoice.level(samples), at: arrival) else { return }
        }
        session?.callerAudio(samples, sampleRate: CallerStream.sampleRate, channels: 1, arrival: arrival)
    }

    private func read(_ identity: String, _ topic: String, _ reader: LiveKitHandle) {
        guard topic == "lk.chat", people.isPerson(identity) else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let eventLoop = eventLoop
        try? connection.library.call({ number in
            .textReadAll(
                .with {
                    $0.readerHandle = reader.id
                    $0.requestAsyncID = number
                })
        }) { event in
            withExtendedLifetime(reader) {}
            guard case .textStreamReaderReadAll(let answer) = event.message, case .content(let text) = answer.result else { return }
            eventLoop.execute { bound.value.session?.receive(.text(text, interrupts: true, speak: true)) }
        }
    }

    /// What the caller said before the agent was there.
    private func readBytes(_ identity: String, _ topic: String, _ reader: LiveKitHandle, _ attributes: [String: String], _ type: String) {
        guard topic == PreconnectAudio.topic, people.isFollowed(identity), readings.isEmpty else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let eventLoop = eventLoop
        let collected = PreconnectAudio(attributes, type: type)
        readings[reader.id] = reader
        connection.library.listen(to: reader.id) { event in
            guard case .byteStreamReaderEvent(let chunk) = event.message else { return }
            eventLoop.execute { bound.value.received(chunk, collected) }
        }
        _ = try? connection.library.request(.byteReadIncremental(.with { $0.readerHandle = reader.id }))
    }

    private func received(_ chunk: FfiByteStreamReaderEvent, _ audio: PreconnectAudio) {
        switch chunk.detail {
        case .chunkReceived(let bytes): audio.append(bytes.content)
        case .eos:
            connection.library.forget(chunk.readerHandle)
            readings[chunk.readerHandle] = nil
            let now = Int64(NIODeadline.now().uptimeNanoseconds)
            guard life == .joined else { return }
            do throws(AudioError) {
                guard let (samples, rate, channels) = try audio.finish() else { return }
                session?.callerAudio(samples, sampleRate: rate, channels: channels, arrival: now)
            } catch {
                logger.warning("what the caller said before the agent was there is lost", metadata: ["reason": "\(error)"])
            }
        case nil: break
        }
    }

    // MARK: What goes out

    let hasMarks = false
    let handled: UInt64 = 0
    var untaken: SessionTime { SessionTime(samples: Int64(track?.waitingSamples ?? 0)) }
    func release(through number: UInt64) {}
    func flush() {}
    var client: ClientRecord { ClientRecord(protocolName: "livekit", handshake: record.handshake) }

    func play(_ samples: Span<Int16>, reply: ReplyNumber, firstSample: SessionTime) { track?.play(samples) }
    func clear(reply: ReplyNumber, heard: SessionTime) { track?.clear() }

    func notify(_ notice: ClientNotice) {
        tellProgram(notice)
        for action in transcription.take(notice) { send(action) }
        let next = state.after(notice)
        guard next != state else { return }
        state = next
        sendState()
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
        let value = state.rawValue
        outbox.send(replacing: "state") { number in
            .setLocalAttributes(
                .with {
                    $0.localParticipantHandle = participant
                    $0.requestAsyncID = number
                    $0.attributes = [
                        .with {
                            $0.key = "lk.agent.state"
                            $0.value = value
                        }
                    ]
                })
        }
    }

    private func send(_ action: Transcription.Action) {
        guard let participant = link?.participant else { return }
        switch action {
        case .callerText(let segment, let text, let isFinal):
            guard let caller = speaking else { return }
            let attributes = TextStreams.attributes(segment: segment, track: caller.microphone ?? "", isFinal: isFinal)
            outbox.send(replacing: isFinal ? nil : segment) { number in
                TextStreams.whole(text, attributes, from: caller.identity, by: participant, number)
            }
        case .agentText(let segment, let text):
            let attributes = TextStreams.attributes(segment: segment, track: trackSid, isFinal: true)
            let identity = record.identity
            outbox.send(replacing: segment) { TextStreams.whole(text, attributes, from: identity, by: participant, $0) }
        case .open(let segment):
            let attributes = TextStreams.attributes(segment: segment, track: trackSid, isFinal: false)
            let identity = record.identity
            outbox.send { TextStreams.header(segment, attributes, from: identity, by: participant, $0) }
        case .write(let segment, let index, let text):
            let identity = record.identity
            outbox.send { TextStreams.chunk(segment, index, text, from: identity, by: participant, $0) }
        case .close(let segment):
            let attributes = TextStreams.attributes(segment: segment, track: trackSid, isFinal: true)
            let identity = record.identity
            outbox.send { TextStreams.trailer(segment, attributes, from: identity, by: participant, $0) }
        }
    }

    // MARK: Leaving

    /// Silent from now on, but still there, so that the people in the room see one agent all the time: the next owner puts this one out.
    func handOver() {
        guard life == .joined || life == .joining else { return }
        track?.clear()
        life = .handingOver
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.assumeIsolated().scheduleTask(in: Self.handOverPatience) { bound.value.leave() }
    }

    func end(_ reason: EndReason) {
        isOver = reason.endsCall
        // The last words are on their way to the caller, who may wait no longer for the library.
        outbox.flush { [self] in leave() }
        guard life != .left else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.assumeIsolated().scheduleTask(in: Self.lastWordsPatience) { bound.value.leave() }
    }

    private func leave() {
        guard life != .left else { return }
        life = .left
        let phone = isOver ? people.lonePhone : nil
        stopAudio()
        connection.figures.dropped(messages: outbox.dropped)
        outbox.close()
        link?.leave()
        if let phone { hangUp(phone) }
        link = nil
        track = nil
    }

    private func stopAudio() {
        ticks?.cancel()
        ticks = nil
        for sid in microphones.keys { stopListening(sid) }
        microphones = [:]
        for reader in readings.keys { connection.library.forget(reader) }
        readings = [:]
    }

    private func stopListening(_ sid: String) {
        guard let stream = microphones[sid]?.stream, let handle = microphones[sid]?.handle else { return }
        stream.close()
        connection.library.forget(handle.id)
        connection.figures.dropped(frames: stream.dropped)
        microphones[sid]?.stream = nil
        microphones[sid]?.handle = nil
        microphones[sid]?.track = nil
    }
}
