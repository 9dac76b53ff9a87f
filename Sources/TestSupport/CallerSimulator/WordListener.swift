import TestAudio

/// Says which words of the agent were played, each whole or cut. Pure: positions are samples played.
struct WordListener {
    struct Word: Equatable {
        var number: Int
        var isWhole: Bool
        /// Samples of it that were heard.
        var length: Int
        /// Positions in what was played.
        var start: Int
        var end: Int
    }

    /// The ramps at both ends of a word, which nobody would miss: 5 ms.
    private static let edge = 80
    /// A word that stopped may go on within 20 s: longer than anything stands still in a chaos run, also of a busy machine.
    private static let longestBreak = 320_000

    private let fingerprints: AudioFingerprints
    private var tracker: ClipTracker
    private var pending: (word: Word, from: Int, to: Int)?
    /// Audible samples that belong to no word.
    private(set) var unknown = 0

    init(_ fingerprints: AudioFingerprints) {
        self.fingerprints = fingerprints
        tracker = ClipTracker(fingerprints)
    }

    /// Takes what was played; `heard` gets every word when it is over, in order.
    mutating func hear(_ samples: [Int16], heard: (Word) -> Void) {
        var stretches: [ClipTracker.Stretch] = []
        tracker.hear(samples) { stretches.append($0) }
        for stretch in stretches { take(stretch, heard) }
        if stretches.isEmpty, tracker.current == nil {
            unknown += samples.count { abs(Int($0)) > Int(CallerPlayout.audible) }
        }
        if let word = pending?.word, tracker.current == nil, tracker.position - word.end > Self.longestBreak {
            finish(heard)
        }
    }

    /// What was not whole will not become so.
    mutating func finish(_ heard: (Word) -> Void) {
        guard let word = pending?.word else { return }
        pending = nil
        heard(word)
    }

    private mutating func take(_ stretch: ClipTracker.Stretch, _ heard: (Word) -> Void) {
        let length = fingerprints.clips[stretch.clip].count
        var word = Word(
            number: stretch.clip, isWhole: false, length: stretch.to - stretch.from, start: stretch.start,
            end: stretch.end)
        var from = stretch.from
        if let before = pending {
            if before.word.number == stretch.clip, abs(before.to - stretch.from) <= Self.edge {
                word.start = before.word.start
                word.length += before.word.length
                from = before.from
                pending = nil
            } else {
                finish(heard)
            }
        }
        word.isWhole = from <= Self.edge && stretch.to >= length - Self.edge
        if word.isWhole { heard(word) } else { pending = (word, from, stretch.to) }
    }
}
