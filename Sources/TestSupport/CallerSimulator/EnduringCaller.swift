import Audio
import Conversation
package import NIOCore
import PipecatBackend
import Resilience
package import WebSocket

/// A caller who converses until the time is over, comes back when the connection is lost, and records everything: what
/// it said, which words of the agent it played, and what became of its connections. Confined to one event loop; many of
/// them share a loop.
package final class EnduringCaller: CallerLinkDelegate {
    package struct Options: Sendable {
        /// Names the call in its record.
        package var caller: String
        /// The dispatchers, the first one for the first connection; they ask for `resumable` where the caller comes
        /// back.
        package var dispatchers: [WebSocketRequest]
        package var isResumable: Bool
        package var seed: UInt64
        /// Monotonic nanoseconds when the caller hangs up at the next pause.
        package var end: Int64

        package init(caller: String, dispatchers: [WebSocketRequest], isResumable: Bool, seed: UInt64, end: Int64) {
            self.caller = caller
            self.dispatchers = dispatchers
            self.isResumable = isResumable
            self.seed = seed
            self.end = end
        }
    }

    private let book: ConversationBook
    private let eventLoop: any EventLoop
    private let onEnd: @Sendable (CallRecord) -> Void
    private var link: CallerLink?
    private var script: EndlessScript
    private var listener: WordListener
    private var playout = CallerPlayout()
    private var origin: Int64 = 0
    private var microphone: Microphone?
    private var record: CallRecord
    private var connection = 0
    private var ticker: RepeatedTask?
    private var frameID: UInt64 = 0
    private var isEnded = false
    private var alive: EnduringCaller?

    /// Starts the call. Must be called on `eventLoop`; `onEnd` gets the record when it is over.
    package static func call(
        _ options: Options, book: ConversationBook, client: WebSocketClient, on eventLoop: any EventLoop,
        onEnd: @escaping @Sendable (CallRecord) -> Void
    ) {
        let caller = EnduringCaller(options, book, eventLoop, onEnd)
        let link = CallerLink(options.dispatchers, client: client, eventLoop: eventLoop, delegate: caller)
        // The connection is all that keeps the caller alive, and the end of the call lets go of both.
        caller.link = link
        caller.alive = caller
        link.connect()
    }

    private init(
        _ options: Options, _ book: ConversationBook, _ eventLoop: any EventLoop,
        _ onEnd: @escaping @Sendable (CallRecord) -> Void
    ) {
        self.book = book
        self.eventLoop = eventLoop
        self.onEnd = onEnd
        script = EndlessScript(book, seed: options.seed, end: options.end)
        listener = WordListener(book.fingerprints)
        record = CallRecord(caller: options.caller, isResumable: options.isResumable)
    }

    private var clock: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }

    // MARK: Connection

    func linkOpened(isReturn: Bool) {
        let now = clock
        guard !isReturn else {
            connection += 1
            return
        }
        record.connectedAt = now
        origin = now
        microphone = Microphone(startingAt: now)
        link?.send(
            RTVIMessage(
                type: "client-ready", id: "1",
                data: ["version": RTVIMessage.version, "about": ["library": "parley-caller-simulator"]]))
        playout.advance(to: now) { _ in
        } events: { _ in
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let period = TimeAmount.milliseconds(Int64(Microphone.packet))
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in bound.value.tick() }
    }

    func linkHeard(_ bytes: ByteBuffer, rate: Int, channels: Int, frame: UInt64) {
        let now = clock
        came(now)
        guard rate == SessionTime.sampleRate, channels == 1 else {
            return problem("agent audio has \(rate) Hz and \(channels) channels")
        }
        record.sources.hear(frame: frame, connection: connection, at: now)
        playout.receive(
            bytes.withUnsafeReadableBytes { raw in
                (0..<raw.count / 2).map {
                    Int16(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 2, as: Int16.self))
                }
            })
    }

    func linkFlushed() {
        came(clock)
        playout.flush()
    }

    func linkTold(_ message: RTVIMessage) {
        let now = clock
        came(now)
        switch message.type {
        case "bot-ready":
            if record.readyAt == nil { record.readyAt = now }
            perform(script.handle(.ready, now: now), now)
        case "user-llm-text": record.told.append(.init(message.data["text"] as? String ?? "", at: now))
        case "error": problem("agent error: \(message.data["error"] as? String ?? "?")")
        default: break
        }
    }

    func linkFailed(_ problem: String) { self.problem(problem) }

    func linkAway(_ closure: WebSocketClosure) {
        // An attempt that came to nothing is not another loss.
        if let last = record.gaps.last, last.backAt == nil { return }
        record.gaps.append(.init(lostAt: clock, code: Int(closure.code.rawValue), reason: closure.reason))
    }

    func linkOver(_ closure: WebSocketClosure) {
        if record.connectedAt == nil { problem("cannot connect: \(closure.error.map { "\($0)" } ?? closure.reason)") }
        record.closeCode = Int(closure.code.rawValue)
        record.closeReason = closure.reason
        if record.endedBy.isEmpty {
            record.endedBy = closure.isLocal ? "caller" : closure.code == .normal ? "agent" : "error"
        }
        finish()
    }

    /// The agent is heard again only when something comes from it, not when a socket is open.
    private func came(_ now: Int64) {
        record.note(at: now)
        if let last = record.gaps.indices.last, record.gaps[last].backAt == nil { record.gaps[last].backAt = now }
    }

    private func problem(_ text: String) { record.problems.append(.init(text, at: clock)) }

    // MARK: Time

    private func tick() {
        let now = clock
        var heard: [WordListener.Word] = []
        playout.advance(to: now) { samples in
            listener.hear(samples) { heard.append($0) }
        } events: { _ in
        }
        for word in heard {
            note(word)
            perform(script.handle(.word(word.number, isWhole: word.isWhole), now: now), now)
        }
        perform(script.handle(.tick, now: now), now)
        speak(now)
    }

    private func note(_ word: WordListener.Word) {
        record.played.append(
            .init(
                word: word.number, isWhole: word.isWhole, milliseconds: word.length / SessionTime.samplesPerMillisecond,
                at: origin + Int64(word.start) * 62_500, until: origin + Int64(word.end) * 62_500,
                connection: connection))
    }

    private func perform(_ actions: [EndlessScript.Action], _ now: Int64) {
        for action in actions {
            switch action {
            case .perform(let utterance): perform(utterance, now)
            case .hangUp: hangUp()
            }
        }
    }

    private func perform(_ utterance: EndlessScript.Utterance, _ now: Int64) {
        let line = book.lines[utterance.line]
        let isSpoken = utterance.manner == .voice
        record.said.append(
            .init(
                line: utterance.line, manner: utterance.manner, attempt: utterance.attempt,
                interrupts: utterance.interrupts,
                startedAt: now, endedAt: isSpoken ? nil : now))
        let id = "u\(record.said.count)"
        switch utterance.manner {
        case .voice: if let speech = line.speech { microphone?.say(speech.samples) }
        case .text: link?.send(RTVIMessage(type: "send-text", id: id, data: ["content": line.text]))
        case .digits: link?.send(RTVIMessage(type: "dtmf", id: id, data: ["buttons": line.text.map(String.init)]))
        }
    }

    private func speak(_ now: Int64) {
        while !isEnded, let packet = microphone?.next(at: now) {
            if let began = packet.began { record.said[record.said.count - 1].startedAt = began }
            frameID += 1
            var out = ByteBuffer()
            PipecatFrame.encodeAudio(
                packet.samples.span, sampleRate: UInt32(SessionTime.sampleRate), id: frameID, into: &out)
            link?.send(packet: out)
            guard let finished = packet.finished else { continue }
            record.said[record.said.count - 1].endedAt = finished
            perform(script.handle(.lineSaid, now: now), now)
        }
    }

    // MARK: The end

    private func hangUp() {
        guard !isEnded else { return }
        record.endedBy = "caller"
        link?.close(reason: "caller hung up")
    }

    private func finish() {
        guard !isEnded else { return }
        isEnded = true
        ticker?.cancel()
        listener.finish { note($0) }
        record.unknownMilliseconds = listener.unknown / SessionTime.samplesPerMillisecond
        record.endedAt = clock
        onEnd(record)
        alive = nil
    }
}
