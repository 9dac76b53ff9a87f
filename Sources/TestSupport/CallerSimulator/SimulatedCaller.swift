import Audio
import Conversation
import Foundation
package import NIOCore
import PipecatBackend
package import WebSocket

/// A caller made of a scenario: real WebSocket, real time, synthesised speech, a client that plays and flushes as real ones do.
///
/// Confined to one event loop; many of them share a loop in benchmarks.
package final class SimulatedCaller: CallerLinkDelegate {
    package struct Options: Sendable {
        /// Speak RTVI (`client-ready`, transcripts); otherwise audio only.
        package var rtvi = true
        /// Put a RIFF header on every packet, as Pipecat's client does by default.
        package var wavHeaders = false
        /// Keep both sides' audio for a recording.
        package var record = false
        /// Other dispatchers, for when the connection is lost and the server lets the caller come back.
        package var otherDispatchers: [WebSocketRequest] = []
        /// Called for everything worth showing, as it happens.
        package var show: (@Sendable (CallReport.Line) -> Void)?

        package init() {}
    }

    private let scenario: Scenario
    private let speeches: [Int: CallerSpeech]
    private let options: Options
    private let eventLoop: any EventLoop
    private let onEnd: @Sendable (CallReport, [[Int16]]) -> Void

    private var link: CallerLink?
    private var microphone: Microphone?
    /// The step whose line is being said.
    private var saying = 0
    private var script: CallerScript
    private var playout = CallerPlayout()
    private var report = CallReport()
    private var ticker: RepeatedTask?
    private var started: Int64
    private var opened: Int64 = 0
    private var frameID: UInt64 = 0
    private var callerTrack: [Int16] = []
    private var agentTrack: [Int16] = []
    /// The end of the caller's last line and whether it still waits for an answer.
    private var awaiting: (exchange: Int, endedAt: Int64)?
    private var interrupting: (exchange: Int, startedAt: Int64)?
    private var agentText: [String] = []
    private var isEnded = false
    private var alive: SimulatedCaller?

    /// Starts the call. Must be called on `eventLoop`; `onEnd` gets the report and, when recorded, both tracks (caller, agent).
    package static func call(
        _ request: WebSocketRequest, client: WebSocketClient, scenario: Scenario, speeches: [Int: CallerSpeech], options: Options,
        on eventLoop: any EventLoop, onEnd: @escaping @Sendable (CallReport, [[Int16]]) -> Void
    ) {
        let caller = SimulatedCaller(
            scenario: scenario, speeches: speeches, options: options, eventLoop: eventLoop, onEnd: onEnd)
        let link = CallerLink([request] + options.otherDispatchers, client: client, eventLoop: eventLoop, delegate: caller)
        // The connection is all that keeps the caller alive, and the end of the call lets go of both.
        caller.link = link
        caller.alive = caller
        link.connect()
    }

    /// Synthesises all lines of a scenario. Blocking.
    package static func speeches(for scenario: Scenario) throws -> [Int: CallerSpeech] {
        var speeches: [Int: CallerSpeech] = [:]
        for (index, step) in scenario.steps.enumerated() {
            guard case .say(let text) = step.action else { continue }
            speeches[index] = try CallerSpeech(text, voice: scenario.voice, speed: scenario.speed)
        }
        return speeches
    }

    private init(
        scenario: Scenario, speeches: [Int: CallerSpeech], options: Options, eventLoop: any EventLoop,
        onEnd: @escaping @Sendable (CallReport, [[Int16]]) -> Void
    ) {
        self.scenario = scenario
        self.speeches = speeches
        self.options = options
        self.eventLoop = eventLoop
        self.onEnd = onEnd
        self.started = Int64(NIODeadline.now().uptimeNanoseconds)
        self.script = CallerScript(scenario, now: started)
    }

    private var clock: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }
    private func milliseconds(_ nanoseconds: Int64) -> Double { Double(nanoseconds - started) / 1_000_000 }

    // MARK: Connection

    func linkOpened(isReturn: Bool) {
        guard !isReturn else { return }
        opened = clock
        microphone = Microphone(startingAt: opened)
        report.connectMilliseconds = milliseconds(opened)
        script = CallerScript(scenario, now: opened)
        if options.rtvi {
            link?.send(RTVIMessage(
                type: "client-ready", id: "1", data: ["version": RTVIMessage.version, "about": ["library": "parley-caller-simulator"]]))
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let period = TimeAmount.milliseconds(Int64(Microphone.packet))
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in bound.value.tick() }
    }

    func linkFailed(_ problem: String) { report.failures.append(problem) }

    func linkAway(_ closure: WebSocketClosure) { report.returns += 1 }

    func linkOver(_ closure: WebSocketClosure) {
        if opened == 0 { report.failures.append("cannot connect: \(closure.error.map { "\($0)" } ?? closure.reason)") }
        report.closeCode = Int(closure.code.rawValue)
        report.closeReason = closure.reason
        if report.endedBy.isEmpty { report.endedBy = closure.isLocal ? "caller" : (closure.code == .normal ? "agent" : "error") }
        end()
    }

    // MARK: Hearing

    func linkHeard(_ bytes: ByteBuffer, rate: Int, channels: Int, frame: UInt64) {
        guard rate == SessionTime.sampleRate, channels == 1 else {
            report.failures.append("agent audio has \(rate) Hz and \(channels) channels, not 16000 Hz mono")
            return
        }
        let samples = bytes.withUnsafeReadableBytes { raw in
            (0..<raw.count / 2).map { Int16(littleEndian: raw.loadUnaligned(fromByteOffset: $0 * 2, as: Int16.self)) }
        }
        if let waiting = awaiting, samples.contains(where: { abs(Int($0)) > Int(CallerPlayout.audible) }) {
            // Audible audio has arrived; where in the packet it begins counts too.
            let offset = samples.firstIndex { abs(Int($0)) > Int(CallerPlayout.audible) } ?? 0
            let buffered = Double(playout.bufferedSamples + offset) / 16
            report.exchanges[waiting.exchange].responseMilliseconds = Double(clock - waiting.endedAt) / 1_000_000 + buffered
            awaiting = nil
        }
        playout.receive(samples)
    }

    func linkFlushed() {
        playout.flush()
        noteBargeIn()
    }

    /// The agent's last audible sample before the flush is what an interrupting caller has to listen to.
    private func noteBargeIn() {
        guard let barge = interrupting else { return }
        report.exchanges[barge.exchange].bargeInMilliseconds = max(0, Double(clock - barge.startedAt) / 1_000_000)
        interrupting = nil
    }

    func linkTold(_ message: RTVIMessage) {
        switch message.type {
        case "bot-ready": report.readyMilliseconds = Double(clock - opened) / 1_000_000
        case "user-llm-text":
            let text = message.data["text"] as? String ?? ""
            if !report.exchanges.isEmpty { report.exchanges[report.exchanges.count - 1].heard += text + " " }
            check(text)
        case "bot-transcription": agentSaid(message.data["text"] as? String ?? "")
        case "error":
            report.failures.append("agent error: \(message.data["error"] as? String ?? "?")")
        default: break
        }
    }

    private func agentSaid(_ text: String) {
        agentText.append(text)
        if !report.exchanges.isEmpty { report.exchanges[report.exchanges.count - 1].answer += text + " " }
        show(.init(speaker: .agent, text: text, at: milliseconds(clock)))
    }

    private func check(_ heard: String) {
        guard let exchange = report.exchanges.last, let wanted = scenario.steps[exchange.step].expectHeard else { return }
        if !exchange.heard.lowercased().contains(wanted.lowercased()) {
            report.failures.append("step \(exchange.step + 1): understood '\(heard)', expected '\(wanted)'")
        }
    }

    private func checkAnswers() {
        for exchange in report.exchanges {
            for wanted in scenario.steps[exchange.step].expectAgent where !exchange.answer.lowercased().contains(wanted.lowercased()) {
                report.failures.append("step \(exchange.step + 1): the agent said '\(exchange.answer)', expected '\(wanted)'")
            }
        }
    }

    // MARK: Time

    private func tick() {
        let now = clock
        playout.advance(to: now) { samples in
            if options.record { agentTrack += samples }
        } events: { event in
            switch event {
            case .becameAudible: perform(script.handle(.agentAudible, now: now), now)
            case .becameSilent: perform(script.handle(.agentSilent, now: now), now)
            }
        }
        perform(script.handle(.tick, now: now), now)
        speak(now)
    }

    private func perform(_ actions: [CallerScript.Action], _ now: Int64) {
        for action in actions {
            switch action {
            case .perform(let step): perform(step: step, now)
            case .fail(let reason):
                report.failures.append(reason)
                hangUp()
            case .finished: if scenario.endedBy != "agent" { hangUp() }
            }
        }
    }

    private func perform(step index: Int, _ now: Int64) {
        switch scenario.steps[index].action {
        case .say(let text):
            guard let speech = speeches[index] else { return }
            saying = index
            microphone?.say(speech.samples)
            report.exchanges.append(.init(step: index, said: text, startedAt: milliseconds(now), endedAt: 0))
            show(.init(speaker: .caller, text: text, at: milliseconds(now)))
        case .text(let text):
            report.exchanges.append(.init(step: index, said: text, startedAt: milliseconds(now), endedAt: milliseconds(now)))
            awaiting = (report.exchanges.count - 1, now)
            show(.init(speaker: .caller, text: "[types] \(text)", at: milliseconds(now)))
            link?.send(RTVIMessage(type: "send-text", id: "t\(index)", data: ["content": text]))
        case .dtmf(let digits):
            link?.send(RTVIMessage(type: "dtmf", id: "d\(index)", data: ["buttons": digits.map(String.init)]))
        case .silence: break
        case .hangUp: hangUp()
        }
    }

    /// Sends what is due: the line or silence.
    private func speak(_ now: Int64) {
        while !isEnded, let packet = microphone?.next(at: now) {
            if let began = packet.began { lineBegun(saying, at: began) }
            send(packet.samples)
            if let finished = packet.finished { lineSaid(at: finished) }
        }
    }

    private func send(_ samples: [Int16]) {
        if options.record { callerTrack += samples }
        frameID += 1
        var out = ByteBuffer()
        PipecatFrame.encodeAudio(
            (options.wavHeaders ? riff(samples) : samples).span, sampleRate: UInt32(SessionTime.sampleRate), id: frameID, into: &out)
        link?.send(packet: out)
    }

    private func lineBegun(_ step: Int, at time: Int64) {
        report.exchanges[report.exchanges.count - 1].startedAt = milliseconds(time)
        if scenario.steps[step].moment == .intoAgent { interrupting = (report.exchanges.count - 1, time) }
    }

    private func lineSaid(at time: Int64) {
        report.exchanges[report.exchanges.count - 1].endedAt = milliseconds(time)
        awaiting = (report.exchanges.count - 1, time)
        let now = clock
        perform(script.handle(.lineSaid, now: now), now)
    }

    /// The 44 bytes of a WAV header as 22 samples in front, as Pipecat's client sends them.
    private func riff(_ samples: [Int16]) -> [Int16] {
        let bytes = samples.count * 2
        var header = Array("RIFF".utf8) + little(UInt32(36 + bytes)) + Array("WAVEfmt ".utf8) + little(UInt32(16))
        header += [1, 0, 1, 0] + little(UInt32(SessionTime.sampleRate)) + little(UInt32(SessionTime.sampleRate * 2)) + [2, 0, 16, 0]
        header += Array("data".utf8) + little(UInt32(bytes))
        return stride(from: 0, to: header.count, by: 2).map { Int16(bitPattern: UInt16(header[$0]) | UInt16(header[$0 + 1]) << 8) } + samples
    }

    private func little(_ value: UInt32) -> [UInt8] { (0..<4).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) } }

    // MARK: The end

    private func hangUp() {
        guard !isEnded else { return }
        report.endedBy = "caller"
        link?.close(reason: "caller hung up")
    }

    private func end() {
        guard !isEnded else { return }
        isEnded = true
        ticker?.cancel()
        report.durationMilliseconds = milliseconds(clock)
        if !script.isDone, report.failures.isEmpty { report.failures.append("the call ended before the last step: \(report.closeReason)") }
        if let wanted = scenario.endedBy, wanted != report.endedBy {
            report.failures.append("the call was ended by the \(report.endedBy), expected the \(wanted)")
        }
        checkAnswers()
        onEnd(report, options.record ? [callerTrack, agentTrack] : [])
        alive = nil
    }

    private func show(_ line: CallReport.Line) {
        report.lines.append(line)
        options.show?(line)
    }
}
