import Audio
import Conversation
import Foundation
package import NIOCore
import PipecatBackend
package import WebSocket

/// A caller made of a scenario: real WebSocket, real time, synthesised speech, a client that plays and flushes as real ones do.
///
/// Confined to one event loop; many of them share a loop in benchmarks.
package final class SimulatedCaller: WebSocketHandler {
    package struct Options: Sendable {
        /// Speak RTVI (`client-ready`, transcripts); otherwise audio only.
        package var rtvi = true
        /// Put a RIFF header on every packet, as Pipecat's client does by default.
        package var wavHeaders = false
        /// Keep both sides' audio for a recording.
        package var record = false
        /// Called for everything worth showing, as it happens.
        package var show: (@Sendable (CallReport.Line) -> Void)?

        package init() {}
    }

    /// Milliseconds of a packet.
    private static let packet = 20

    private let scenario: Scenario
    private let speeches: [Int: CallerSpeech]
    private let options: Options
    private let eventLoop: any EventLoop
    private let onEnd: @Sendable (CallReport, [[Int16]]) -> Void

    private var socket: WebSocket?
    private var script: CallerScript
    private var playout = CallerPlayout()
    private var report = CallReport()
    private var ticker: RepeatedTask?
    private var started: Int64
    private var opened: Int64 = 0
    private var sentPackets: Int64 = 0
    private var frameID: UInt64 = 0
    private var line: (step: Int, samples: [Int16], position: Int)?
    private var callerTrack: [Int16] = []
    private var agentTrack: [Int16] = []
    /// The end of the caller's last line and whether it still waits for an answer.
    private var awaiting: (exchange: Int, endedAt: Int64)?
    private var interrupting: (exchange: Int, startedAt: Int64)?
    private var agentText: [String] = []
    private var isEnded = false

    /// Starts the call. Must be called on `eventLoop`; `onEnd` gets the report and, when recorded, both tracks (caller, agent).
    package static func call(
        _ request: WebSocketRequest, client: WebSocketClient, scenario: Scenario, speeches: [Int: CallerSpeech], options: Options,
        on eventLoop: any EventLoop, onEnd: @escaping @Sendable (CallReport, [[Int16]]) -> Void
    ) {
        let caller = SimulatedCaller(
            scenario: scenario, speeches: speeches, options: options, eventLoop: eventLoop, onEnd: onEnd)
        caller.socket = client.connect(
            request, configuration: WebSocketConfiguration(maximumMessageBytes: 4 << 20), on: eventLoop, handler: caller)
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

    // MARK: Socket

    package func opened(_ socket: WebSocket) {
        opened = clock
        report.connectMilliseconds = milliseconds(opened)
        script = CallerScript(scenario, now: opened)
        if options.rtvi {
            send(RTVIMessage(
                type: "client-ready", id: "1", data: ["version": RTVIMessage.version, "about": ["library": "parley-caller-simulator"]]))
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let period = TimeAmount.milliseconds(Int64(Self.packet))
        ticker = eventLoop.scheduleRepeatedTask(initialDelay: period, delay: period) { _ in bound.value.tick() }
    }

    package func received(binary: ByteBuffer, on socket: WebSocket) {
        guard let frame = try? PipecatFrame.decode(binary) else {
            report.failures.append("the agent sent a malformed frame")
            return
        }
        switch frame {
        case .audio(let bytes, let rate, let channels): hear(bytes, rate: Int(rate), channels: Int(channels))
        case .interruption: flushed()
        case .message(let json): if let message = try? RTVIMessage.decode(Data(json.readableBytesView)) { told(message) }
        case .text, .transcription, .unknown: break
        }
    }

    package func closed(_ socket: WebSocket, _ closure: WebSocketClosure) {
        if opened == 0 { report.failures.append("cannot connect: \(closure.error.map { "\($0)" } ?? closure.reason)") }
        report.closeCode = Int(closure.code.rawValue)
        report.closeReason = closure.reason
        if report.endedBy.isEmpty { report.endedBy = closure.isLocal ? "caller" : (closure.code == .normal ? "agent" : "error") }
        end()
    }

    // MARK: Hearing

    private func hear(_ bytes: ByteBuffer, rate: Int, channels: Int) {
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

    private func flushed() {
        playout.flush()
        noteBargeIn()
    }

    /// The agent's last audible sample before the flush is what an interrupting caller has to listen to.
    private func noteBargeIn() {
        guard let barge = interrupting else { return }
        report.exchanges[barge.exchange].bargeInMilliseconds = max(0, Double(clock - barge.startedAt) / 1_000_000)
        interrupting = nil
    }

    private func told(_ message: RTVIMessage) {
        switch message.type {
        case "bot-ready": report.readyMilliseconds = Double(clock - opened) / 1_000_000
        case "user-input":
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
            line = (index, speech.samples, 0)
            report.exchanges.append(.init(step: index, said: text, startedAt: milliseconds(now), endedAt: 0))
            show(.init(speaker: .caller, text: text, at: milliseconds(now)))
        case .text(let text):
            report.exchanges.append(.init(step: index, said: text, startedAt: milliseconds(now), endedAt: milliseconds(now)))
            awaiting = (report.exchanges.count - 1, now)
            show(.init(speaker: .caller, text: "[types] \(text)", at: milliseconds(now)))
            send(RTVIMessage(type: "send-text", id: "t\(index)", data: ["content": text]))
        case .dtmf(let digits):
            send(RTVIMessage(type: "dtmf", id: "d\(index)", data: ["buttons": digits.map(String.init)]))
        case .silence: break
        case .hangUp: hangUp()
        }
    }

    /// Sends what is due: packets of 20 ms on the wall clock, the line or silence.
    private func speak(_ now: Int64) {
        let due = (now - opened) / (Int64(Self.packet) * 1_000_000)
        while sentPackets < due, !isEnded {
            sentPackets += 1
            sendPacket()
        }
    }

    private func sendPacket() {
        let count = Self.packet * SessionTime.samplesPerMillisecond
        // A microphone's packet ends at this moment, whenever this loop gets to send it.
        let end = opened + sentPackets * Int64(Self.packet) * 1_000_000
        var samples = [Int16](repeating: 0, count: count)
        if var current = line {
            let take = min(count, current.samples.count - current.position)
            if current.position == 0 { lineBegun(current.step, at: end - Int64(count) * 62_500) }
            for index in 0..<take { samples[index] = current.samples[current.position + index] }
            current.position += take
            line = current
            if current.position == current.samples.count { lineSaid(at: end - Int64(count - take) * 62_500) }
        }
        if options.record { callerTrack += samples }
        frameID += 1
        var out = ByteBuffer()
        if options.wavHeaders {
            PipecatFrame.encodeAudio(riff(samples).span, sampleRate: UInt32(SessionTime.sampleRate), id: frameID, into: &out)
        } else {
            PipecatFrame.encodeAudio(samples.span, sampleRate: UInt32(SessionTime.sampleRate), id: frameID, into: &out)
        }
        _ = socket?.send(binary: out)
    }

    private func lineBegun(_ step: Int, at time: Int64) {
        report.exchanges[report.exchanges.count - 1].startedAt = milliseconds(time)
        if scenario.steps[step].moment == .intoAgent { interrupting = (report.exchanges.count - 1, time) }
    }

    private func lineSaid(at time: Int64) {
        line = nil
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
        socket?.close(.normal, reason: "caller hung up")
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
    }

    private func show(_ line: CallReport.Line) {
        report.lines.append(line)
        options.show?(line)
    }

    private func send(_ message: RTVIMessage) {
        var out = ByteBuffer()
        PipecatFrame.encodeMessage(message.encode(), into: &out)
        _ = socket?.send(binary: out)
    }
}
