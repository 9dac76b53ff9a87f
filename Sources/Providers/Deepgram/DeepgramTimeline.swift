import Audio
import Conversation

/// What has been sent on which connection, and what the results mean in the stream's time. No I/O.
struct DeepgramTimeline {
    /// Kept for sending again while nothing is being recognised: what may have been said before its first interim result came.
    private static let idleSamples: Int64 = 32_000

    private(set) var audio = RetainedAudio()
    /// The stream position where this connection's time begins.
    private var base: Int64 = 0
    /// The next sample to send on this connection.
    private(set) var next: Int64 = 0
    /// An interim result is waiting for its final one.
    private var isRecognising = false
    private var unreported = 0

    mutating func append(_ samples: Span<Int16>) {
        audio.append(samples)
        if !isRecognising, next == audio.end - Int64(samples.count) {
            audio.confirm(upTo: min(next, audio.end - Self.idleSamples))
        }
    }

    /// A new connection: it begins with the oldest sample kept.
    mutating func connected() {
        base = audio.start
        next = audio.start
        isRecognising = false
    }

    /// Samples not sent on this connection yet.
    var backlog: Int { Int(audio.end - max(next, audio.start)) }

    /// Takes at most `limit` samples to send; false when there are none.
    mutating func take(limit: Int, _ body: (Span<Int16>) -> Void) -> Int {
        if next < audio.start {
            // Older audio was forgotten before it was sent: this connection's time lags behind by as much.
            base += audio.start - next
            next = audio.start
        }
        let taken = audio.read(from: next, limit: limit, body)
        next += Int64(taken)
        unreported += taken
        return taken
    }

    /// What a message means for the session, if anything.
    mutating func event(_ message: DeepgramMessage) -> RecognitionEvent? {
        switch message {
        case .other, .error: return nil
        case .speechStarted(let seconds): return .speechStarted(at: SessionTime(samples: position(seconds)))
        case .results(let text, let confidence, let words, let covers, let kind, let language):
            if kind.isFinal {
                isRecognising = false
                audio.confirm(upTo: min(position(covers.upperBound), next))
            } else if !text.isEmpty {
                isRecognising = true
            }
            guard !text.isEmpty else { return nil }
            let transcript = Transcript(
                text: text, confidence: confidence, start: words.map { SessionTime(samples: position($0.lowerBound)) },
                end: words.map { SessionTime(samples: position($0.upperBound)) }, language: language,
                endsUtterance: kind.speechFinal)
            return kind.isFinal ? .final(transcript) : .interim(transcript)
        }
    }

    /// Seconds sent since the last report, once they are at least `minimum`.
    mutating func usage(minimum: Double) -> Double? {
        let seconds = Double(unreported) / Double(SessionTime.sampleRate)
        guard seconds >= minimum, unreported > 0 else { return nil }
        unreported = 0
        return seconds
    }

    private func position(_ seconds: Double) -> Int64 {
        base + Int64((min(max(seconds, 0), 1e6) * Double(SessionTime.sampleRate)).rounded())
    }
}
