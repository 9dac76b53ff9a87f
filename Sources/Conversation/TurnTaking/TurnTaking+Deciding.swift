import Audio

/// The end of a turn: words first, then silence, the turn model where these leave it open.
extension TurnTaking {
    /// The caller is silent, or has asked for the end of the turn: decide now or set the timers that will.
    mutating func decide(_ turn: CallerTurn) {
        var turn = turn
        let evidence = evidence(turn)
        let wasSettled = settle(&turn)
        guard !turn.isEmpty else {
            if wasSettled { return nothingSaid(turn) }
            state = .pausing(turn)
            return
        }
        guard let (delay, reason) = silence(ending: turn) else {
            state = .pausing(turn)
            return
        }
        let due = turn.end + delay
        if wasSettled, now >= due { return commit(turn, endedBy: reason) }
        if due > now { arm(.endpoint, at: due) }
        let isFinal = turn.interim.isEmpty
        speculate(&turn, mayStart: true, evidence: evidence, isFinal: isFinal)
        let request = verdictRequest(&turn, evidence)
        state = .pausing(turn)
        if let request { emit(request) }
    }

    /// Whether the words are final or will not become so; sets the timer for the wait.
    mutating func settle(_ turn: inout CallerTurn) -> Bool {
        if turn.isSettled(tolerance: milliseconds(settings.transcriptToleranceMilliseconds)) {
            disarm(.transcript)
            return true
        }
        let due = turn.end + milliseconds(settings.transcriptWaitMilliseconds)
        if now >= due || isRecogniserLost {
            disarm(.transcript)
            turn.isTranscriptGivenUp = true
            return true
        }
        arm(.transcript, at: due)
        return false
    }

    private mutating func nothingSaid(_ turn: CallerTurn) {
        var turn = turn
        ignore(&turn, .noWords)
        listen()
    }

    /// Silence that ends the turn and what would have ended it; nil if only the client can.
    func silence(ending turn: CallerTurn) -> (delay: SessionTime, reason: EndOfTurnReason)? {
        if turn.isEndRequested { return (.zero, .client) }
        if !turn.digits.isEmpty {
            return (turn.digits.hasSuffix("#") ? .zero : milliseconds(settings.digitWaitMilliseconds), .client)
        }
        guard settings.endOfTurn == .automatic else { return nil }
        switch evidence(turn) {
        case .complete: return (minDelay, .transcript)
        case .incomplete: return (maxDelay, .silence)
        case .unknown: break
        }
        switch turn.verdict {
        case .given(let probability):
            return probability >= settings.verdictThreshold ? (minDelay, .model) : (maxDelay, .silence)
        case .asked(_, let deadline): return (max(silenceDelay, deadline - turn.end), .silence)
        case .notAsked, .missing: return (silenceDelay, .silence)
        }
    }

    func evidence(_ turn: CallerTurn) -> TurnEvidence {
        turn.hasWords ? TranscriptText.looksComplete(turn.words, language: language) : .unknown
    }

    private var minDelay: SessionTime {
        endpointing.map { SessionTime(seconds: $0.minDelay / 1_000) } ?? milliseconds(settings.minDelayMilliseconds)
    }
    private var silenceDelay: SessionTime { max(minDelay, milliseconds(settings.silenceDelayMilliseconds)) }
    private var maxDelay: SessionTime { max(minDelay, milliseconds(settings.maxDelayMilliseconds)) }

    // MARK: The turn model

    /// The turn model could still say something that matters.
    private func isAwaited(_ turn: CallerTurn, _ evidence: TurnEvidence) -> Bool {
        wantsVerdict(turn, evidence) && turn.verdict == .notAsked
    }

    private func wantsVerdict(_ turn: CallerTurn, _ evidence: TurnEvidence) -> Bool {
        settings.asksTurnModel && settings.endOfTurn == .automatic && evidence == .unknown && turn.hasWords
            && turn.digits.isEmpty
            && !turn.isEndRequested && turn.speech(at: now) > .zero && now < turn.end + maxDelay
    }

    private mutating func verdictRequest(_ turn: inout CallerTurn, _ evidence: TurnEvidence) -> TurnEffect? {
        guard isAwaited(turn, evidence) else { return nil }
        let id = makeID()
        let deadline = now + milliseconds(settings.verdictDeadlineMilliseconds)
        turn.verdict = .asked(id: id, deadline: deadline)
        if let (delay, _) = silence(ending: turn) { arm(.endpoint, at: turn.end + delay) }
        return .requestVerdict(id: id, since: turn.start, deadline: deadline)
    }

    mutating func judged(_ id: UInt32, _ probability: Double?) {
        guard case .pausing(var turn) = state, case .asked(id, _) = turn.verdict else { return }
        turn.verdict = probability.map { .given(probability: $0) } ?? .missing
        decide(turn)
    }

    // MARK: Speculation

    /// Keeps the speculation in step with the words: a changed text cancels it, and a new one starts where that is allowed.
    mutating func speculate(_ turn: inout CallerTurn, mayStart: Bool, evidence: TurnEvidence, isFinal: Bool) {
        guard settings.speculation != .off else { return }
        let words = TranscriptText.normalized(turn.text)
        if let speculation = turn.speculation, speculation.words != words {
            discardSpeculation(of: &turn, counted: true)
        }
        // The second attempt is kept for the final transcript.
        let allowed = isFinal ? settings.maximumDiscards : min(settings.maximumDiscards, 1)
        if turn.speculation == nil, mayStart, evidence != .incomplete, !words.isEmpty, turn.discards < allowed,
            settings.endOfTurn == .automatic || turn.isEndRequested
        {
            let id = makeID()
            turn.speculation = .init(id: id, words: words, maySpeak: false)
            emit(.startSpeculation(id: id, text: turn.text))
        }
        guard settings.speculation == .speech, isFinal || isSure(turn), var speculation = turn.speculation,
            !speculation.maySpeak
        else { return }
        speculation.maySpeak = true
        turn.speculation = speculation
        emit(.speakSpeculation(id: speculation.id))
    }

    private func isSure(_ turn: CallerTurn) -> Bool {
        guard case .given(let probability) = turn.verdict else { return false }
        return probability >= settings.sureVerdict
    }

    mutating func discardSpeculation(of turn: inout CallerTurn, counted: Bool = false) {
        guard let speculation = turn.speculation else { return }
        turn.speculation = nil
        if counted { turn.discards += 1 }
        emit(.cancelSpeculation(id: speculation.id))
    }

    // MARK: Commit

    /// The turn is over; an answer is being made. `rest`: the caller goes on with this.
    mutating func commit(_ turn: CallerTurn, endedBy reason: EndOfTurnReason, goingOn rest: CallerTurn? = nil) {
        var turn = turn
        closeTurn()
        if turn.speculation?.words != TranscriptText.normalized(turn.text) || !waitingText.isEmpty {
            discardSpeculation(of: &turn)
        }
        if !waitingText.isEmpty {
            turn.typed = waitingText
            waitingText = ""
        }
        if let rest {
            open(at: rest.start)
            if rest.interruptsAtEndOnly { state = .overlapping(AgentTurn(), rest) } else { hold(AgentTurn(), rest) }
        } else {
            state = .thinking(AgentTurn())
        }
        emitCommit(turn, endedBy: reason, speculation: turn.speculation?.id)
    }

    mutating func emitCommit(_ turn: CallerTurn, endedBy reason: EndOfTurnReason, speculation: UInt32?) {
        owe(turn)
        if let count = unansweredWords { unansweredWords = count + TranscriptText.wordCount(turn.words) }
        emit(
            .commit(
                CommittedTurn(
                    text: turn.text, speechStart: turn.start, speechEnd: turn.isSpeaking ? now : turn.end,
                    confidence: turn.hasWords ? turn.confidence : 1, endedBy: reason, input: turn.kind),
                speculation: speculation))
    }

    /// The turn has been too long: it is answered although the caller goes on, and what follows stops the answer only when it
    /// has become a turn itself.
    mutating func answerSpeaker(_ turn: CallerTurn) {
        var rest = turn.rest(at: now)
        rest.interruptsAtEndOnly = true
        commit(turn, endedBy: .timeout, goingOn: turn.isSpeaking ? rest : nil)
    }

    mutating func endOfTurnRequested() {
        guard var turn = openTurn, !turn.isEndRequested else { return }
        if turn.isSpeaking { emit(.userStoppedSpeaking(at: now)) }
        turn.requestEnd(at: now)
        if !turn.isSettled(tolerance: .zero) { emit(.finalizeTranscript) }
        switch state {
        case .listening, .thinking, .speaking, .ended: break
        case .hearing, .pausing: decide(turn)
        case .overlapping(let agent, _): judge(agent, turn)
        case .holding(let agent, _):
            // The client means what it says: this is an interruption.
            interrupt(agent, turn)
        }
    }

    mutating func recogniserLost(_ isLost: Bool) {
        isRecogniserLost = isLost
        if isLost { owed = nil }
        guard isLost, let turn = openTurn, !turn.isSpeaking else { return }
        switch state {
        case .listening, .hearing, .thinking, .speaking, .ended: break
        case .pausing: decide(turn)
        case .overlapping(let agent, _): judge(agent, turn)
        case .holding(let agent, _): heldCallerStopped(agent, turn)
        }
    }
}
