package import Audio

/// What playout reports, in order.
package enum PlayoutEvent: Sendable, Hashable {
    /// The first audio of a reply has been sent.
    case replyStarted(ReplyNumber)
    /// The first audio of a sentence has been sent.
    case sentenceStarted(SentenceID)
    /// A sentence has been played to its end (or has no audio).
    case sentenceFinished(SentenceID)
    /// A reply has been played to its end, or to the sentence behind which it was stopped.
    case replyFinished(HeardReport)
    /// A sentence's audio is late: the caller hears silence, and the position stands still. Once for each gap.
    case underrun(ReplyNumber)
}

/// What the caller has heard of a reply.
package struct HeardReport: Sendable, Hashable {
    package struct Sentence: Sendable, Hashable {
        package var id: SentenceID
        /// Samples heard, from the sentence's first.
        package var heard: SessionTime
        /// The words heard whole.
        package var text: String
        package var isComplete: Bool
    }

    package var reply: ReplyNumber
    /// Samples heard, from the reply's first.
    package var heard: SessionTime
    /// The true position is within plus or minus this many samples of `heard`: 0 where the backend has marks, else the lead.
    package var error: SessionTime
    /// The words heard, sentences joined by spaces.
    package var text: String
    /// Sentences of which anything was heard.
    package var sentences: [Sentence]
    /// The whole reply was heard.
    package var isComplete: Bool
}

/// What came of `Playout.stopAtSentenceEnd`.
package enum SentenceStop: Sendable, Hashable {
    /// Nothing was being heard: the reply is over. Nil if there was none.
    case stopped(HeardReport?)
    /// The sentence being heard is played to its end, then `replyFinished` comes. With `clear` the client must drop what it has of
    /// this reply: it had been sent the beginning of the next sentence, or it drops that anyway. What is still to be heard is sent again.
    case finishing(clear: ReplyNumber?)
}
