package import Audio

/// Who has the floor, decided on session time: when the caller's turn is over, and what the caller's speech does to a reply.
///
/// A pure value: it reads no clock and does no I/O. The session tells it what happens (`TurnInput`) and performs what it answers
/// (`TurnEffect`). It holds one state; words, timings and the speculation of the turn in progress are in the state's payload. The
/// same inputs at the same times give the same effects.
package struct TurnTaking: Sendable {
    enum State: Sendable, Hashable {
        /// Nobody speaks.
        case listening
        /// The caller speaks.
        case hearing(CallerTurn)
        /// The caller has stopped; whether the turn is over is open.
        case pausing(CallerTurn)
        /// A turn is to be answered, nothing is heard yet.
        case thinking(AgentTurn)
        /// The agent is heard.
        case speaking(AgentTurn)
        /// The agent is heard although the caller has said something.
        case overlapping(AgentTurn, CallerTurn)
        /// The agent is paused, or must not begin, because the caller may have something to say.
        case holding(AgentTurn, CallerTurn)
        case ended
    }

    /// The agent's side of the floor.
    struct AgentTurn: Sendable, Hashable {
        var reply: ReplyNumber?
        var isHeard = false
        var isInterruptible = true
    }

    /// Words committed or ignored in their interim version, whose final version is still to come.
    struct Owed: Sendable, Hashable {
        var words: [String]
        var until: SessionTime
    }

    /// Typed texts that wait for the floor; more characters than this interrupt instead.
    static let maximumWaitingText = 4_000
    /// How long the final version of committed interim words is expected: three words and more are hardly said again by chance.
    static func patience(forWords count: Int) -> SessionTime { .milliseconds(count < 3 ? 3_000 : 20_000) }

    private(set) var settings: TurnSettings
    /// BCP 47; for the evidence in transcripts.
    private(set) var language: String?
    var state = State.listening
    var now = SessionTime.zero
    var effects: [TurnEffect] = []
    var armed: [SessionTime?] = Array(repeating: nil, count: TurnTimer.allCases.count)
    var endpointing: DynamicEndpointing?
    var owed: Owed?
    var waitingText = ""
    var isRecogniserLost = false
    /// The newest reply that has ended or was stopped; what is still told of it or of older ones comes too late.
    var goneReply: ReplyNumber = 0
    /// End of the time in which echo cancellation learns; nil until the agent was heard for the first time.
    var warmUpEnd: SessionTime?
    /// Words committed since the agent was heard last; nil after the limit has been reported for them.
    var unansweredWords: Int? = 0
    private var lastID: UInt32 = 0

    /// `settings` have been validated. `language`: a BCP 47 tag, for what words say about the end of a turn.
    package init(settings: TurnSettings, language: String? = "en") {
        self.settings = settings
        self.language = language
        endpointing = Self.endpointing(settings)
    }

    /// Another agent takes the conversation over: its settings hold from the next input on, the floor stays as it is.
    package mutating func adopt(_ settings: TurnSettings, language: String?) {
        self.settings = settings
        self.language = language
        endpointing = Self.endpointing(settings)
    }

    private static func endpointing(_ settings: TurnSettings) -> DynamicEndpointing? {
        guard settings.endpointing == .dynamic else { return nil }
        return DynamicEndpointing(
            minimum: Double(settings.minDelayMilliseconds), maximum: Double(settings.maxDelayMilliseconds),
            alpha: settings.endpointingAlpha)
    }

    /// Takes one input and answers what has to be done for it, in order; mostly nothing, which allocates nothing. `time` must not
    /// go back; if it does, the latest time is kept.
    package mutating func handle(_ input: TurnInput, at time: SessionTime) -> [TurnEffect] {
        now = max(now, time)
        if case .ended = state { return [] }
        take(input)
        guard !effects.isEmpty else { return [] }
        defer { effects = [] }
        return effects
    }

    private mutating func take(_ input: TurnInput) {
        switch input {
        case .started: if case .listening = state { listen() }
        case .resumed(let reply, let isHeard, let interruptible): resumed(reply, isHeard: isHeard, interruptible: interruptible)
        case .speechStarted(let start): speechStarted(min(start, now))
        case .speechEnded(let end): speechEnded(min(end, now))
        case .interim(let text): heard(interim: text)
        case .final(let text, let confidence, let endsUtterance):
            heard(final: text, confidence: confidence, endsUtterance: endsUtterance)
        case .verdict(let id, let probability): judged(id, probability)
        case .replyReady(let reply): replyReady(reply)
        case .replyStarted(let reply, let interruptible): replyStarted(reply, interruptible: interruptible)
        case .replyFinished(let reply): replyEnded(reply, wasHeard: true)
        case .replyFailed(let reply): replyEnded(reply, wasHeard: false)
        case .timer(let timer): fired(timer)
        case .text(let text, let interrupts): typed(text, interrupts: interrupts)
        case .dtmf(let digits): pressed(digits)
        case .recogniserLost(let isLost): recogniserLost(isLost)
        case .endOfTurnRequested: endOfTurnRequested()
        case .hangUp: hangUp()
        }
    }

    // MARK: Helpers

    func milliseconds(_ count: Int) -> SessionTime { .milliseconds(Int64(count)) }

    mutating func makeID() -> UInt32 {
        lastID += 1
        return lastID
    }

    mutating func emit(_ effect: TurnEffect) { effects.append(effect) }

    mutating func arm(_ timer: TurnTimer, at due: SessionTime) {
        let due = max(due, now)
        guard armed[Int(timer.rawValue)] != due else { return }
        armed[Int(timer.rawValue)] = due
        emit(.setTimer(timer, at: due))
    }

    mutating func disarm(_ timer: TurnTimer) {
        guard armed[Int(timer.rawValue)] != nil else { return }
        armed[Int(timer.rawValue)] = nil
        emit(.cancelTimer(timer))
    }

    mutating func disarmAll() {
        for timer in TurnTimer.allCases { disarm(timer) }
    }

    // MARK: What the session asks

    /// Nobody has the floor, and nobody waits for it.
    package var isQuiet: Bool { if case .listening = state { waitingText.isEmpty } else { false } }
    /// The caller has said or typed something that no committed turn covers.
    package var holdsInput: Bool { openTurn != nil || !waitingText.isEmpty }

    // MARK: Nobody's floor

    /// Nobody speaks: typed text that waited gets its answer, else the wait for the caller begins anew.
    mutating func listen() {
        state = .listening
        guard waitingText.isEmpty else { return commitWaitingText() }
        if settings.idleMilliseconds > 0 { arm(.idle, at: now + milliseconds(settings.idleMilliseconds)) }
    }

    /// The call is over in any state. What the caller has said last belongs in the log.
    mutating func hangUp() {
        disarmAll()
        switch state {
        case .listening, .ended: break
        case .hearing(let turn), .pausing(let turn): leave(turn)
        case .thinking(let agent), .speaking(let agent): stop(agent, .hangUp, at: .now)
        case .overlapping(let agent, var turn):
            stop(agent, .hangUp, at: .now)
            if mayInterrupt(agent), !isShort(turn) {
                leave(turn)
            } else {
                ignore(&turn, reason(ignoring: turn, over: agent))
            }
        case .holding(let agent, let turn):
            stop(agent, .hangUp, at: .now)
            leave(turn)
        }
        if !waitingText.isEmpty { leave(CallerTurn(start: now, speaking: false)) }
        state = .ended
        emit(.ended)
    }

    private mutating func leave(_ turn: CallerTurn) {
        var turn = turn
        discardSpeculation(of: &turn)
        turn.typed = waitingText
        waitingText = ""
        guard !turn.text.isEmpty else { return emit(.ignored(text: "", .noWords)) }
        emitCommit(turn, endedBy: .hangUp, speculation: nil)
    }
}
