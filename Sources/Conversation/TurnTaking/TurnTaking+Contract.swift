package import Audio

/// What happened, told to `TurnTaking` in the order in which it happened. Every input comes with the session time at which it
/// was handled; `TurnTaking` reads no clock. Inputs are `Codable`, so that a recording of them replays exactly.
package enum TurnInput: Sendable, Hashable, Codable {
    /// The conversation begins; starts the wait for a caller who says nothing.
    case started
    /// Another owner had the conversation until now: a turn is being answered, by this reply where one has begun, and it was being heard.
    case resumed(ReplyNumber?, isHeard: Bool, interruptible: Bool)
    /// The VAD is sure that the caller speaks, since `start` (earlier than now by its minimum speech).
    case speechStarted(start: SessionTime)
    /// The VAD is sure that the caller has stopped, at `end` (earlier than now by its minimum silence).
    case speechEnded(end: SessionTime)
    case interim(text: String)
    /// `endsUtterance`: the recogniser's own endpointing saw a pause.
    case final(text: String, confidence: Double, endsUtterance: Bool)
    /// The turn model's answer to `requestVerdict(id)`; nil = late, skipped or failed.
    case verdict(id: UInt32, probability: Double?)
    /// A reply (speculative or not) has audio ready; for a held speculation nothing has been played.
    case replyReady(ReplyNumber)
    /// The first audio of a reply has left.
    case replyStarted(ReplyNumber, interruptible: Bool)
    /// A reply has been played to its end.
    case replyFinished(ReplyNumber)
    /// The reply came to nothing (failed or was silent).
    case replyFailed(ReplyNumber)
    /// A timer of `setTimer` is due.
    case timer(TurnTimer)
    /// The caller typed; `interrupts` = speak to it at once.
    case text(String, interrupts: Bool)
    case dtmf(String)
    /// The recogniser is gone (true) or back (false): endpointing falls back to silence.
    case recogniserLost(Bool)
    /// The client has told us to end the turn now (push to talk).
    case endOfTurnRequested
    case hangUp
}

/// Timers live on session time and are named; setting one again moves it.
package enum TurnTimer: UInt8, Sendable, Hashable, Codable, CaseIterable {
    /// Silence since the end of speech that ends the turn.
    case endpoint
    /// Longest wait for a final transcript after the end of speech.
    case transcript
    /// A paused playout that nobody interrupted after all.
    case falseInterruption
    /// The caller has said nothing for long.
    case idle
    /// A turn that never ends.
    case maximumTurn
    /// The minimum duration of speech that counts as an interruption.
    case interruption
}

/// What has to be done, in order. Within one answer timers come first and `commit` or `requestVerdict` last, so that a performer
/// may tell `TurnTaking` the outcome of those before it has returned.
package enum TurnEffect: Sendable, Hashable {
    /// Start a held reply to this text. Its TTS must wait for `speakSpeculation`.
    case startSpeculation(id: UInt32, text: String)
    /// The speculation's first sentence may be synthesised (final transcript or sure verdict); its audio is still held.
    case speakSpeculation(id: UInt32)
    case cancelSpeculation(id: UInt32)
    /// The turn is over. `speculation`: the one whose reply is released; nil = generate now.
    case commit(CommittedTurn, speculation: UInt32?)
    /// The caller may be interrupting: hold the playout where it is (what is in flight is cleared at the client). A reply that
    /// has not started yet must not start until `resumePlayout`.
    case pausePlayout
    case resumePlayout
    /// The caller has interrupted: stop for good, at `point`; what was not heard leaves the context. Ends a pause, if there is one.
    /// The reply may still be in the making, with no audio yet; it is dropped. No `replyFinished` is expected for it.
    case stopPlayout(InterruptionReason, at: StopPoint)
    case setTimer(TurnTimer, at: SessionTime)
    case cancelTimer(TurnTimer)
    /// Ask the turn model about the speech since `since`; answer with `verdict(id)`.
    case requestVerdict(id: UInt32, since: SessionTime, deadline: SessionTime)
    /// Ask the recogniser to flush what it holds back.
    case finalizeTranscript
    /// For the client's display and for metrics.
    case userStartedSpeaking(at: SessionTime)
    case userStoppedSpeaking(at: SessionTime)
    /// Speech that was not an interruption (back-channel, too short); kept in the log, not answered.
    case ignored(text: String, IgnoredReason)
    /// The caller has been silent for the configured time; the agent may ask.
    case idle
    case ended
}

package struct CommittedTurn: Sendable, Hashable {
    package var text: String
    package var speechStart: SessionTime
    package var speechEnd: SessionTime
    package var confidence: Double
    package var endedBy: EndOfTurnReason
    package var input: TurnInputKind

    package init(
        text: String, speechStart: SessionTime, speechEnd: SessionTime, confidence: Double, endedBy: EndOfTurnReason,
        input: TurnInputKind
    ) {
        self.text = text
        self.speechStart = speechStart
        self.speechEnd = speechEnd
        self.confidence = confidence
        self.endedBy = endedBy
        self.input = input
    }
}

/// What ended a turn: a complete transcript, silence, the turn model, the maximum length of a turn, the client's request, or the
/// end of the call (such a turn belongs in the log and needs no answer).
package enum EndOfTurnReason: String, Sendable, Hashable, CaseIterable {
    case transcript, silence, model, timeout, client, hangUp
}
package enum InterruptionReason: String, Sendable, Hashable { case speech, text, dtmf, hangUp, agent }
/// Where a stopped reply ends: where it is, or behind the sentence being heard.
package enum StopPoint: String, Sendable, Hashable { case now, sentenceEnd }
/// Why words do not count. `late`: a final transcript of words that were committed in an interim version.
package enum IgnoredReason: String, Sendable, Hashable { case backchannel, tooShort, uninterruptible, noWords, late }
