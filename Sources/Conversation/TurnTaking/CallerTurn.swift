import Audio

/// What the caller has said and typed in digits since the last turn was over.
struct CallerTurn: Sendable, Hashable {
    enum Verdict: Sendable, Hashable {
        case notAsked
        case asked(id: UInt32, deadline: SessionTime)
        case given(probability: Double)
        /// Late, skipped or failed.
        case missing
    }

    struct Speculation: Sendable, Hashable {
        let id: UInt32
        /// Normalised words that it answers.
        let words: String
        var maySpeak: Bool
    }

    let start: SessionTime
    /// End of the last burst of speech; of its start while the caller speaks.
    private(set) var end: SessionTime
    private(set) var isSpeaking: Bool
    private var burstStart: SessionTime
    /// Speech in the bursts that have ended.
    private var spoken = SessionTime.zero

    private(set) var finals = ""
    private(set) var interim = ""
    private var lastFinalAt: SessionTime?
    private var confidenceSum = 0.0
    private var confidenceWeight = 0.0
    private(set) var digits = ""
    /// Text typed by the caller, behind everything said.
    var typed = ""

    /// The latest interim transcript counts, no final one is waited for.
    var isTranscriptGivenUp = false
    /// The client has ended the turn.
    var isEndRequested = false
    /// Speech over the agent that stops it only when it has become a whole turn.
    var interruptsAtEndOnly = false
    var verdict = Verdict.notAsked
    var speculation: Speculation?
    var discards = 0

    init(start: SessionTime, speaking: Bool) {
        self.start = start
        self.end = start
        self.burstStart = start
        self.isSpeaking = speaking
    }

    // MARK: Voice

    mutating func startedSpeaking(at time: SessionTime) {
        guard !isSpeaking else { return }
        isSpeaking = true
        burstStart = max(time, end)
        verdict = .notAsked
        isTranscriptGivenUp = false
    }

    mutating func stoppedSpeaking(at time: SessionTime) {
        if isSpeaking { spoken += max(.zero, time - burstStart) }
        isSpeaking = false
        end = max(end, time)
    }

    /// Speech so far, pauses left out.
    func speech(at now: SessionTime) -> SessionTime { isSpeaking ? spoken + max(.zero, now - burstStart) : spoken }

    /// When the speech will have lasted `duration` if it goes on.
    func time(ofSpeech duration: SessionTime) -> SessionTime { burstStart + duration - spoken }

    // MARK: Words

    /// Finals, the interim behind them, digits and typed text.
    var text: String { [words, digits, typed].filter { !$0.isEmpty }.joined(separator: " ") }

    /// What was said.

    var words: String {
        interim.isEmpty || finals.isEmpty ? finals + interim : finals + " " + interim
    }

    var hasWords: Bool { !finals.isEmpty || !interim.isEmpty }
    var isEmpty: Bool { !hasWords && digits.isEmpty }
    var kind: TurnInputKind {
        if !typed.isEmpty { return .text }
        return hasWords ? .speech : .dtmf
    }
    /// Mean of the finals by words, 0 where only an interim was heard.
    var confidence: Double { confidenceWeight > 0 ? confidenceSum / confidenceWeight : 0 }

    mutating func heard(interim text: String) { interim = text }

    mutating func heard(final text: String, confidence: Double, at now: SessionTime) {
        interim = ""
        lastFinalAt = now
        guard !text.isEmpty else { return }
        finals = finals.isEmpty ? text : finals + " " + text
        let weight = Double(max(1, TranscriptText.wordCount(text)))
        confidenceSum += confidence * weight
        confidenceWeight += weight
    }

    mutating func pressed(_ more: String, at now: SessionTime) {
        digits += more
        if !isSpeaking { end = max(end, now) }
    }

    /// The client has ended the turn; what the VAD still hears does not belong to it.
    mutating func requestEnd(at now: SessionTime) {
        if isSpeaking { stoppedSpeaking(at: now) }
        isEndRequested = true
    }

    /// The turn of a caller who goes on speaking behind the end of this one.
    func rest(at now: SessionTime) -> CallerTurn { CallerTurn(start: now, speaking: isSpeaking) }

    /// The words are final and cover the speech to its end.
    func isSettled(tolerance: SessionTime) -> Bool {
        if isTranscriptGivenUp { return true }
        guard interim.isEmpty else { return false }
        guard !finals.isEmpty, let lastFinalAt else { return !digits.isEmpty && spoken == .zero }
        return lastFinalAt + tolerance >= end
    }
}
