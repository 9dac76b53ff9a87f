package import Audio

/// A reply of the agent: its sentences, their audio, and what of it was heard.
package struct ReplyState: Hashable, Sendable {
    package let number: UInt32
    /// Nil where only later events of the reply are known.
    package internal(set) var started: ReplyStarted?
    /// Session time at which it began.
    package internal(set) var startedAt = SessionTime.zero
    /// In the order of their index.
    package private(set) var sentences: [SentenceState] = []
    /// What was heard, as last reported; nil before the first report.
    package private(set) var heard: Heard?
    /// Samples, from its first, that were heard at least; nil where nobody has logged that.
    package private(set) var progress: Int64?
    /// Number of sentences, once the model has no more to say; nil before.
    package private(set) var written: Int?

    init(number: UInt32) {
        self.number = number
    }

    /// A sentence that was handed to the synthesiser.
    package struct SentenceState: Hashable, Sendable {
        package let index: UInt32
        package let text: String
        /// No sentence follows it.
        package let isLast: Bool
        /// Length and word marks; nil until it was synthesised.
        package internal(set) var audio: SentenceAudio?
    }

    /// All that was to be said.
    package var text: String { sentences.map(\.text).joined(separator: " ") }
    /// The caller cut it short.
    package var isInterrupted: Bool { heard?.interrupted ?? false }
    /// It was heard to its end or cut short: nothing of it remains to be said.
    package var isFinished: Bool { heard.map { $0.complete || $0.interrupted } ?? false }
    /// The last sentence is in the log: the model need not go on.
    package var isComplete: Bool { sentences.last?.isLast ?? false || written.map { sentences.count >= $0 } ?? false }
    /// Where an owner said that the reply goes on; nil for a reply that nobody has handed over.
    package var goesOn: Heard? { heard.flatMap { $0.complete || $0.interrupted ? nil : $0 } }

    /// What the language model may believe it said: what was heard of a finished reply, everything that was logged of an open one.
    package var textForContext: String {
        guard let heard, isFinished else { return text }
        return heard.complete && heard.text.isEmpty ? text : heard.text
    }

    mutating func add(_ sentence: Sentence) {
        guard !sentences.contains(where: { $0.index == sentence.index }) else { return }
        let place = sentences.lastIndex { $0.index < sentence.index }.map { $0 + 1 } ?? 0
        sentences.insert(SentenceState(index: sentence.index, text: sentence.text, isLast: sentence.last), at: place)
    }

    mutating func add(_ audio: SentenceAudio) {
        guard let place = sentences.firstIndex(where: { $0.index == audio.index }) else { return }
        sentences[place].audio = audio
    }

    mutating func add(_ report: Heard) {
        heard = report
        guard !isFinished, !report.remaining.isEmpty else { return }
        // What is spoken from here on is spoken anew: its audio so far says nothing about it.
        for place in sentences.indices where sentences[place].index >= report.nextSentence { sentences[place].audio = nil }
    }

    mutating func add(_ report: ReplyProgress) { progress = report.samples }

    mutating func add(_ end: ReplyWritten) {
        written = Int(end.sentences)
    }
}
