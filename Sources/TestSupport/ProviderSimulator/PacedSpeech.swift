import NIOCore

/// Sends the tones of one text in pieces: the first after the first-byte latency, then faster than real time by the pace.
/// Confined to its event loop.
final class PacedSpeech {
    /// A piece of audio and the words that begin in it, in samples from the start of the text.
    struct Piece {
        var samples: ArraySlice<Int16>
        var words: [ToneVoice.Word]
        var isLast: Bool
    }

    private let samples: [Int16]
    private let words: [ToneVoice.Word]
    private let chunk: Int
    private let interval: TimeAmount
    private let eventLoop: any EventLoop
    private var deliver: ((Piece) -> Void)?
    private var at = 0
    private var nextWord = 0
    private var timer: Scheduled<Void>?

    init(
        _ text: String, rate: Int, behaviour: SpeechBehaviour, firstByte: Double, slowness: Double,
        on eventLoop: any EventLoop,
        _ deliver: @escaping (Piece) -> Void
    ) {
        samples = ToneVoice.render(text, rate: rate)
        words = ToneVoice.layout(text, rate: rate).words
        chunk = max(1, behaviour.chunk * rate / 1_000)
        interval = .microseconds(Int64(Double(behaviour.chunk) * 1_000 * slowness / max(behaviour.pace, 0.01)))
        self.eventLoop = eventLoop
        self.deliver = deliver
        schedule(.microseconds(Int64(firstByte * slowness * 1_000)))
    }

    func cancel() {
        deliver = nil
        timer?.cancel()
    }

    private func schedule(_ delay: TimeAmount) {
        timer = eventLoop.assumeIsolated().scheduleTask(in: delay) { self.step() }
    }

    private func step() {
        let end = min(at + chunk, samples.count)
        var begun: [ToneVoice.Word] = []
        while nextWord < words.count, words[nextWord].start < end {
            begun.append(words[nextWord])
            nextWord += 1
        }
        let piece = Piece(samples: samples[at..<end], words: begun, isLast: end == samples.count)
        at = end
        let deliver = self.deliver
        if piece.isLast { self.deliver = nil } else { schedule(interval) }
        deliver?(piece)
    }
}
