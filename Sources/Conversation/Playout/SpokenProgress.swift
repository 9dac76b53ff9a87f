import Audio

/// How far the sentence being heard has been spoken, by whole words, for clients that show text in step with the audio.
///
/// A value without a clock. A look costs little while a word goes on: where the words lie is worked out once for what is known of a sentence.
package struct SpokenProgress: Sendable {
    /// What has been spoken of a sentence.
    package struct Step: Sendable, Hashable {
        package var sentence: SentenceID
        package var text: String
        /// The rest of the sentence, with the space before it. Never empty: that a sentence is over is told in another way.
        package var remaining: String
    }

    /// Nanoseconds between two steps.
    private static let interval: Int64 = 100_000_000

    private var known: SentenceBeingHeard?
    private var timeline: WordTimeline?
    /// Bytes of the sentence's text that were in the last step.
    private var told = 0
    private var lookedAt: Int64?

    package init() {}

    /// What is new; nil while that is nothing, or the last look was a moment ago. `atOnce`: the reply is about to be stopped.
    package mutating func next(_ playout: borrowing Playout, at now: Int64, atOnce: Bool = false) -> Step? {
        if let lookedAt, now - lookedAt < Self.interval, !atOnce { return nil }
        lookedAt = now
        guard let current = playout.sentenceBeingHeard else { return nil }
        if known?.id != current.id { told = 0 }
        if known?.id != current.id || known?.marks != current.marks || known?.expectedSamples != current.expectedSamples {
            timeline = playout.timeline(of: current.id)
        }
        known = current
        guard let timeline else { return nil }
        let (text, remaining) = timeline.split(at: current.heard.samples)
        // What is known of a sentence changes while its audio arrives; what was told stays told.
        guard text.utf8.count > told, !remaining.isEmpty else { return nil }
        told = text.utf8.count
        return Step(sentence: current.id, text: text, remaining: remaining)
    }
}
