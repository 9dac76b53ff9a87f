import Audio
import Logging
package import NIOCore
import SpeechDetection
import Telemetry

/// Caller audio in, session time, speech detection, agent audio out.
extension VoiceSession {
    /// Audio of the caller, little-endian PCM16 of any rate and channel count, as it arrived.
    package func callerAudio(_ bytes: ByteBuffer, sampleRate: Int, channels: Int, arrival nanoseconds: Int64) {
        guard life != .ended else { return }
        if life == .waiting { receive(.ready) }
        callerSamples.removeAll()
        do {
            try normalizer.normalize(
                bytes.readableBytesSpan, sampleRate: sampleRate, channels: channels, into: &callerSamples)
        } catch {
            return violated("\(error)")
        }
        timeline.receive(callerSamples.samples.span, at: UInt64(nanoseconds)) { advance($0, $1) }
        runTimers()
        port.flush()
    }

    /// The loop's clock, every 20 ms.
    package func tick(_ nanoseconds: Int64) {
        guard life != .ended else { return }
        lastTick = nanoseconds
        timeline.tick(at: UInt64(nanoseconds)) { advance($0, $1) }
        runTimers()
        flushStalledText(nanoseconds)
        play(nanoseconds)
        if now >= maxDurationAt { close(.maxDuration) }
        port.flush()
    }

    /// One stretch of session time: what was said in it goes to the VAD, the recogniser and the turn model's memory.
    private func advance(_ segment: SessionTimeline.Segment, _ samples: Span<Int16>) {
        guard life != .ended else { return }
        if segment.audience != .turnTaking { recognition?.send(samples) }
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

    private func heardBy(_ event: VoiceActivityEvent) {
        switch event {
        case .speechStarted(let start): handle(.speechStarted(start: start))
        case .speechEnded(let end): handle(.speechEnded(end: end))
        case .window: break
        }
    }

    private func runTimers() {
        while let due = timers.min(by: { $0.value < $1.value }), due.value <= now {
            timers[due.key] = nil
            handle(.timer(due.key))
        }
    }

    /// Sends what is due. Called by the tick, and at once when the first audio of a reply is there.
    func play(_ nanoseconds: Int64) {
        guard life != .ended else { return }
        guard !isThrottled else { return playout.stall(nanoseconds) }
        let port = port
        let events = playout.advance(to: nanoseconds) { samples, reply, first in
            port.play(samples, reply: reply, firstSample: first)
        }
        for event in events { played(event, nanoseconds) }
    }
}
