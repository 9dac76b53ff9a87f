import TestAudio

/// Recognises known recordings by their samples: a word is understood when half of it was heard, whatever came before
/// and however fast. No I/O, time is counted in samples.
struct KnowingRecogniser {
    private struct Utterance {
        let clip: Int
        /// Samples of each word that were heard.
        var heard: [Int]
        /// Samples of the clip up to which it was heard.
        var reached: Int
        /// Where in the stream the stretch that is heard now began; nil between stretches.
        var stretch: Int?
        /// Samples of the clip that the stretch has added so far.
        var counted: Int
        /// In the stream.
        var start: Int
        var lastHeard: Int
        var nextInterim: Int
        let patience: Int
        /// Words before this one were in a forced final.
        var delivered = 0
    }

    /// A recording that goes back by more than this is said anew.
    private static let rewind = 320

    private let known: KnownSpeech
    private let behaviour: RecognitionBehaviour
    private let rate: Int
    private let wantsInterims: Bool
    private var tracker: ClipTracker
    private var utterance: Utterance?

    init(_ known: KnownSpeech, _ behaviour: RecognitionBehaviour, rate: Int, interims: Bool) {
        self.known = known
        self.behaviour = behaviour
        self.rate = rate
        wantsInterims = interims
        tracker = ClipTracker(known.fingerprints)
    }

    /// Samples heard so far.
    var heard: Int { tracker.position }

    /// `finalMilliseconds` is asked at the begin of each utterance.
    mutating func hear(
        _ samples: some Sequence<Int16>, finalMilliseconds: () -> Double, _ emit: (SimulatedRecogniser.Output) -> Void
    ) {
        var frame: [Int16] = []
        frame.reserveCapacity(rate / 100)
        for sample in samples {
            frame.append(sample)
            guard frame.count == rate / 100 else { continue }
            step(frame, finalMilliseconds, emit)
            frame.removeAll(keepingCapacity: true)
        }
        if !frame.isEmpty { step(frame, finalMilliseconds, emit) }
    }

    /// The client wants what there is; false when there is nothing.
    mutating func finalize(_ emit: (SimulatedRecogniser.Output) -> Void) -> Bool {
        guard var current = utterance else { return false }
        let words = recognised(current)
        guard !words.isEmpty else { return false }
        emit(.final(words.map { text(current, $0) }, start: current.start, end: current.lastHeard, forced: true))
        current.delivered = (words.last ?? 0) + 1
        current.start = current.lastHeard
        utterance = current
        return true
    }

    private mutating func step(
        _ frame: [Int16], _ finalMilliseconds: () -> Double, _ emit: (SimulatedRecogniser.Output) -> Void
    ) {
        var stretches: [ClipTracker.Stretch] = []
        tracker.hear(frame) { stretches.append($0) }
        for stretch in stretches {
            take(stretch, finalMilliseconds, emit)
            utterance?.stretch = nil
        }
        if let stretch = tracker.current { take(stretch, finalMilliseconds, emit) }
        guard let current = utterance else { return }
        if heard - current.lastHeard >= current.patience { return end(emit) }
        guard wantsInterims, heard >= current.nextInterim, heard == current.lastHeard else { return }
        utterance?.nextInterim += behaviour.interimEvery * rate / 1_000
        let words = recognised(current).map { text(current, $0) }
        if !words.isEmpty { emit(.interim(words, start: current.start, end: current.lastHeard)) }
    }

    private mutating func take(
        _ stretch: ClipTracker.Stretch, _ finalMilliseconds: () -> Double, _ emit: (SimulatedRecogniser.Output) -> Void
    ) {
        if let current = utterance, !goesOn(current, stretch) { end(emit) }
        if utterance == nil {
            utterance = Utterance(
                clip: stretch.clip, heard: Array(repeating: 0, count: known.words[stretch.clip].count),
                reached: stretch.from,
                counted: stretch.from, start: stretch.start, lastHeard: stretch.end,
                nextInterim: stretch.start + behaviour.interimEvery * rate / 1_000,
                patience: Int(finalMilliseconds() * Double(rate) / 1_000))
            emit(.speechStarted(at: stretch.start))
        }
        guard var current = utterance else { return }
        if current.stretch != stretch.start {
            current.stretch = stretch.start
            current.counted = max(stretch.from, current.reached)
        }
        count(current.counted..<max(current.counted, stretch.to), &current)
        current.counted = max(current.counted, stretch.to)
        current.reached = max(current.reached, stretch.to)
        current.lastHeard = max(current.lastHeard, stretch.end)
        utterance = current
    }

    private func goesOn(_ current: Utterance, _ stretch: ClipTracker.Stretch) -> Bool {
        guard current.clip == stretch.clip else { return false }
        return current.stretch == stretch.start || stretch.from >= current.reached - Self.rewind
    }

    /// Samples of the clip that were heard, dealt out to the words.
    private func count(_ range: Range<Int>, _ current: inout Utterance) {
        for word in current.heard.indices {
            let overlap = range.clamped(to: span(of: word, in: current.clip))
            current.heard[word] += overlap.count
        }
    }

    private func span(of word: Int, in clip: Int) -> Range<Int> {
        let count = max(1, known.words[clip].count)
        let length = known.fingerprints.clips[clip].count
        return length * word / count..<length * (word + 1) / count
    }

    /// Words understood and not yet delivered.
    private func recognised(_ current: Utterance) -> [Int] {
        current.heard.indices.filter {
            $0 >= current.delivered && current.heard[$0] * 2 >= span(of: $0, in: current.clip).count
        }
    }

    private func text(_ current: Utterance, _ word: Int) -> String { known.words[current.clip][word] }

    private mutating func end(_ emit: (SimulatedRecogniser.Output) -> Void) {
        guard let current = utterance else { return }
        utterance = nil
        let words = recognised(current).map { text(current, $0) }
        if !words.isEmpty { emit(.final(words, start: current.start, end: current.lastHeard, forced: false)) }
    }
}
