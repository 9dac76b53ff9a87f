/// Where the words of one spoken sentence lie in its audio: answers what was heard up to a sample, and where to go on after a takeover.
///
/// Samples are of 16 kHz session time, counted from the first sample of the sentence. With word marks of the synthesiser the answers are exact;
/// without, time is dealt out to the words by their syllables and the error is stated.
package struct WordTimeline: Sendable, Hashable {
    /// A word and the samples it takes, from `start` up to `end`.
    package struct Mark: Sendable, Hashable {
        package var word: String
        package var start: Int64
        package var end: Int64

        package init(word: String, start: Int64, end: Int64) {
            self.word = word
            self.start = start
            self.end = end
        }
    }

    /// What was heard of the sentence.
    package struct Heard: Sendable, Hashable {
        /// The whole words that were played to their end, with what is written between and right behind them.
        package var text: String
        /// The true end of what was heard lies within plus or minus this many samples; 0 where marks tell.
        package var error: Int64
        package var isComplete: Bool
    }

    /// A place between words.
    package struct Boundary: Sendable, Hashable {
        /// Where to go on in the audio.
        package var sample: Int64
        /// What is yet to be said; empty at the end of the sentence.
        package var remaining: String
        /// See ``Heard/error``. It is already taken off `sample`.
        package var error: Int64
    }

    private struct Word: Sendable, Hashable {
        /// Offsets of scalars in the text; white space and punctuation behind a word are a part of it.
        var range: Range<Int>
        var start: Int64
        var end: Int64
    }

    package let text: String
    /// The length of the sentence's audio.
    package let samples: Int64
    /// Plus or minus samples on every place inside the sentence; 0 with marks.
    package let error: Int64
    private let words: [Word]

    /// Without marks. The words share `samples` by their syllables; the error is an eighth of the sentence, at least one word of mean length. (Rates of
    /// speech within a sentence and pauses vary about so much; it is a rule of thumb.)
    package init(text: String, samples: Int64) {
        self.init(text: text, samples: samples, units: SpokenUnit.split(text))
    }

    /// With marks, in order of time. They are laid over the text by their letters, so they may be split differently or spell a number out; a word without
    /// a mark of its own shares the time between its neighbours. Marks that fit nowhere are the same as none.
    package init(text: String, marks: [Mark], samples: Int64) {
        let units = SpokenUnit.split(text)
        let ordered = marks.filter { $0.start >= 0 && $0.end >= $0.start && $0.start <= samples }
        guard let times = WordAlignment.times(of: units, marks: ordered, samples: samples) else {
            self.init(text: text, samples: samples, units: units)
            return
        }
        let words = zip(units, times).map { Word(range: $0.range, start: $1.lowerBound, end: $1.upperBound) }
        self.init(text: text, samples: max(samples, 0), error: 0, words: words)
    }

    private init(text: String, samples: Int64, units: [SpokenUnit]) {
        let samples = max(samples, 0)
        let total = units.reduce(0) { $0 + $1.weight }
        var weight = 0.0
        let words = units.map { unit in
            let start = Int64(Double(samples) * weight / total)
            let end = Int64(Double(samples) * (weight + unit.syllables) / total)
            weight += unit.weight
            return Word(range: unit.range, start: start, end: min(end, samples))
        }
        let error = units.count > 1 ? max(samples / Int64(units.count), samples / 8) : samples
        self.init(text: text, samples: samples, error: error, words: words)
    }

    private init(text: String, samples: Int64, error: Int64, words: [Word]) {
        self.text = text
        self.samples = samples
        self.error = error
        self.words = words
    }

    /// What was heard when the samples before `sample` were. A word cut short was not heard.
    package func heard(upTo sample: Int64) -> Heard {
        if sample >= samples { return Heard(text: text, error: 0, isComplete: true) }
        guard sample > 0, let last = words.last(where: { $0.end <= sample }) else {
            return Heard(text: "", error: sample > 0 ? error : 0, isComplete: false)
        }
        return Heard(text: slice(0..<last.range.upperBound), error: error, isComplete: false)
    }

    /// What was heard when the samples before `sample` were, by whole words, and all the rest of the text: both together are the text.
    package func split(at sample: Int64) -> (heard: String, remaining: String) {
        let scalars = text.unicodeScalars
        if sample >= samples { return (text, "") }
        var place = scalars.index(scalars.startIndex, offsetBy: words.last { $0.end <= sample }?.range.upperBound ?? 0)
        while place > scalars.startIndex, scalars[scalars.index(before: place)].properties.isWhitespace { place = scalars.index(before: place) }
        return (String(scalars[..<place]), String(scalars[place...]))
    }

    /// Where to go on when the samples before `sample` were delivered: at the start of the word that `sample` lies in. So a word may be heard twice and
    /// none is skipped; without marks the error is taken off first, for the same reason.
    package func wordBoundary(atOrBefore sample: Int64) -> Boundary {
        if sample >= samples { return Boundary(sample: samples, remaining: "", error: 0) }
        let safe = sample - error
        guard safe > 0, let index = words.lastIndex(where: { $0.start <= safe }) else {
            return Boundary(sample: 0, remaining: slice(0..<text.unicodeScalars.count), error: 0)
        }
        let word = words[index]
        let isSpoken = word.end <= safe
        let next = isSpoken ? word.range.upperBound : word.range.lowerBound
        return Boundary(
            sample: isSpoken ? word.end : word.start, remaining: slice(next..<text.unicodeScalars.count), error: error)
    }

    private func slice(_ range: Range<Int>) -> String {
        var scalars = text.unicodeScalars.dropFirst(range.lowerBound).prefix(range.count)
        while scalars.first?.properties.isWhitespace == true { scalars.removeFirst() }
        while scalars.last?.properties.isWhitespace == true { scalars.removeLast() }
        return String(String.UnicodeScalarView(scalars))
    }
}
