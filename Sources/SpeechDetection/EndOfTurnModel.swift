/// A model that judges from sound whether a speaker has finished a turn. Shared by all threads.
package protocol EndOfTurnModel: Sendable {
    /// Makes what one thread needs to run the model; called on that thread, once.
    func makePredictor() throws(SpeechDetectionError) -> any EndOfTurnPredictor
}

/// One thread's use of an end-of-turn model.
package protocol EndOfTurnPredictor {
    /// The probability (0...1) that the turn is complete at the end of this audio at 16 kHz, of which the last 8 s count.
    func probability(of audio: Span<Int16>) throws(SpeechDetectionError) -> Float
}
