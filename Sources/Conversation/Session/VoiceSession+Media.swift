import Audio
import Logging
package import NIOCore
import SpeechDetection
import Telemetry

/// Caller audio in, session time, speech detection, agent audio out.
extension VoiceSession {
    /// Audio that nobody has taken: beyond this the network or the process that has the caller stands still, and so does the agent.
    private static let longestUntaken = SessionTime.milliseconds(320)

    /// Audio of the caller, little-endian PCM16 of any rate and channel count, as it arrived.
    /// `isReplay`: it was spoken before this owner took the session, and goes through as fast as it can.
    package func callerAudio(_ bytes: ByteBuffer, sampleRate: Int, channels: Int, arrival nanoseconds: Int64, isReplay: Bool = false) {
        guard isLive else { return }
        if life == .waiting { receive(.ready) }
        callerSamples.removeAll()
        do {
            try normalizer.normalize(
                bytes.readableBytesSpan, sampleRate: sampleRate, channels: channels, into: &callerSamples)
        } catch {
            return violated("\(error)")
        }
        timeline.receive(callerSamples.samples.span, at: UInt64(nanoseconds), pace: isReplay ? .fullSpeed : .live) { advance($0, $1) }
        if !isReplay { runTimers() }
        port.flush()
    }

    /// The loop's clock, every 20 ms.
    package func tick(_ nanoseconds: Int64) {
        guard isLive else { return }
        lastTick = nanoseconds
        // Session time goes on with what was kept of the caller, once that is here.
        if catchUp?.isReplaying != true { timeline.tick(at: UInt64(nanoseconds)) { advance($0, $1) } }
        endCatchUpInTime(nanoseconds)
        runTimers()
        logLongAudio()
        logProgress()
        releaseIdleAudio()
        flushStalledText(nanoseconds)
        play(nanoseconds)
        transferWhenHeard()
        tellProgress(nanoseconds)
        if now >= maxDurationAt { close(.maxDuration) }
        if drain.isAsked { handOverWhenQuiet(nanoseconds) }
        port.flush()
    }

    /// One stretch of session time: what was said in it goes to the VAD, the recogniser and the turn model's memory.
    private func advance(_ segment: SessionTimeline.Segment, _ samples: Span<Int16>) {
        guard isLive else { return }
        if segment.audience != .turnTaking { transcribe(samples) }
        guard segment.audience != .transcription else { return }
        now = segment.end
        recent.append(samples, at: segment.position)
        do {
            try detector?.process(samples, at: segment.position) { event in heardBy(event) }
        } catch {
            logger.error("voice activity detection failed; the recogniser's endpointing goes on", metadata: ["error": "\(error)"])
            detector = nil
        }
    }

    private func transcribe(_ samples: Span<Int16>) {
        guard let recognition else { return }
        // Without speech detection, and while a replay is caught up with, nobody knows what is silence.
        if detector == nil || catchUp != nil, silence.since != nil { silence.since = now }
        silence.pass(samples, at: now) { recognition.send($0) }
    }

    /// The recogniser gets all that the session has.
    func sendSilence() {
        guard let recognition else { return }
        silence.flush { recognition.send($0) }
    }

    private func heardBy(_ event: VoiceActivityEvent) {
        switch event {
        case .speechStarted(let start):
            silence.since = nil
            sendSilence()
            catchUp?.heldEnd = nil
            handle(.speechStarted(start: start))
        case .speechEnded(let end):
            silence.since = end
            if catchUp?.isReplaying == true { catchUp?.heldEnd = end } else { handle(.speechEnded(end: end)) }
        case .window: break
        }
    }

    func runTimers() {
        guard catchUp == nil else { return }
        while let due = timers.min(by: { $0.value < $1.value }), due.value <= now {
            timers[due.key] = nil
            handle(.timer(due.key))
        }
    }

    /// Sends what is due. Called by the tick, and at once when the first audio of a reply is there.
    func play(_ nanoseconds: Int64) {
        guard isLive else { return }
        guard !isThrottled, port.untaken <= Self.longestUntaken else { return playout.stall(nanoseconds) }
        let port = port
        let events = playout.advance(to: nanoseconds) { samples, reply, first in
            port.play(samples, reply: reply, firstSample: first)
        }
        for event in events { played(event, nanoseconds) }
    }

    /// Tells the client which words have been heard. `atOnce`: the reply is about to be stopped.
    func tellProgress(_ nanoseconds: Int64, atOnce: Bool = false) {
        guard playout.currentReply != nil, let step = spoken.next(playout, at: nanoseconds, atOnce: atOnce),
            let reply = replies[step.sentence.reply], Int(step.sentence.index) < reply.sentences.count
        else { return }
        let before = reply.spokenBefore(Int(step.sentence.index))
        port.notify(.spoken(step.sentence, text: before + step.text, remaining: step.remaining))
    }
}
