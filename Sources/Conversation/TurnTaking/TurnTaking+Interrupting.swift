import Audio

/// The caller's speech over the agent's, or into its silence before an answer.
extension TurnTaking {
    // MARK: The caller begins

    /// The caller speaks while the agent is heard.
    mutating func overlap(_ agent: AgentTurn, _ turn: CallerTurn) {
        state = .overlapping(agent, turn)
        guard mayInterruptAtOnce(agent, turn) else { return }
        let due = turn.time(ofSpeech: minimumSpeech)
        if now >= due { spokeLongEnough(agent, turn) } else { arm(.interruption, at: due) }
    }

    /// The agent stands still, or does not begin, until it is known what the caller wants.
    mutating func hold(_ agent: AgentTurn, _ turn: CallerTurn) {
        if case .holding = state {} else { emit(.pausePlayout) }
        state = .holding(agent, turn)
        disarm(.interruption)
        arm(.falseInterruption, at: now + milliseconds(settings.longestPauseMilliseconds))
        let due = turn.time(ofSpeech: minimumSpeech)
        if !agent.isHeard, due > now { arm(.interruption, at: due) }
        if turn.hasWords { heardHolding(agent, turn, isFinal: turn.interim.isEmpty) }
    }

    private mutating func spokeLongEnough(_ agent: AgentTurn, _ turn: CallerTurn) {
        switch settings.interruption {
        case .off: break
        case .immediate, .finishSentence: interrupt(agent, turn)
        case .ignoreShort: if !isShort(turn) { interrupt(agent, turn) }
        case .smart: hold(agent, turn)
        }
    }

    // MARK: The caller's words

    /// Words over the agent's speech.
    mutating func heardOver(_ agent: AgentTurn, _ turn: CallerTurn, isFinal: Bool) {
        state = .overlapping(agent, turn)
        let needsFinal =
            switch settings.interruption {
            case .ignoreShort: false
            case .off, .immediate, .finishSentence, .smart: true
            }
        if mayInterruptAtOnce(agent, turn), isFinal || !needsFinal, !isShort(turn) { return interrupt(agent, turn) }
        if !turn.isSpeaking { judge(agent, turn) }
    }

    /// Words while the agent is held.
    mutating func heardHolding(_ agent: AgentTurn, _ turn: CallerTurn, isFinal: Bool) {
        let isLong = !agent.isHeard && turn.speech(at: now) >= minimumSpeech
        if isFinal || isLong, turn.hasWords, !isShort(turn) { return interrupt(agent, turn) }
        state = .holding(agent, turn)
        if !turn.isSpeaking { heldCallerStopped(agent, turn) }
    }

    // MARK: The caller stops

    /// The caller is silent again and the agent has spoken on: was that a turn?
    mutating func judge(_ agent: AgentTurn, _ turn: CallerTurn) {
        var turn = turn
        let isSettled = settle(&turn)
        state = .overlapping(agent, turn)
        guard isSettled else { return }
        guard !turn.isEmpty else {
            ignore(&turn, .noWords)
            return giveFloor(agent)
        }
        guard mayInterrupt(agent), !isShort(turn) else { return }
        let due = turn.end + (silence(ending: turn)?.delay ?? .zero)
        if mayInterruptAtOnce(agent, turn) || now >= due { interrupt(agent, turn) } else { arm(.endpoint, at: due) }
    }

    /// The caller is silent again and the agent is held.
    mutating func heldCallerStopped(_ agent: AgentTurn, _ turn: CallerTurn) {
        var turn = turn
        if !turn.hasWords {
            let isNoise = turn.isTranscriptGivenUp || !agent.isHeard && turn.speech(at: now) < minimumSpeech
            if isNoise { return resume(agent, turn) }
            let wait = settings.falseInterruptionMilliseconds
            arm(
                .falseInterruption,
                at: turn.end + milliseconds(agent.isHeard ? wait : min(wait, settings.transcriptWaitMilliseconds)))
            state = .holding(agent, turn)
            return
        }
        guard settle(&turn) else {
            state = .holding(agent, turn)
            return
        }
        if isShort(turn) { resume(agent, turn) } else { interrupt(agent, turn) }
    }

    /// A paused agent was not interrupted after all, or has been paused for too long without a word.
    mutating func falseInterruption(_ agent: AgentTurn, _ turn: CallerTurn) {
        var turn = turn
        if !turn.isSpeaking { turn.isTranscriptGivenUp = true }
        if turn.hasWords, !isShort(turn) { interrupt(agent, turn) } else { resume(agent, turn) }
    }

    // MARK: Outcomes

    /// The caller takes the floor.
    mutating func interrupt(_ agent: AgentTurn, _ turn: CallerTurn) {
        disarm(.interruption)
        disarm(.falseInterruption)
        let finishes = settings.interruption == .finishSentence && agent.isHeard && !turn.isEndRequested
        stop(agent, .speech, at: finishes ? .sentenceEnd : .now)
        if turn.isSpeaking { hear(turn) } else { decide(turn) }
    }

    /// The agent loses the floor; who gets it is the caller's business.
    mutating func stop(_ agent: AgentTurn, _ reason: InterruptionReason, at point: StopPoint) {
        if let reply = agent.reply { goneReply = max(goneReply, reply) }
        state = .listening
        emit(.stopPlayout(reason, at: point))
    }

    private mutating func resume(_ agent: AgentTurn, _ turn: CallerTurn) {
        var turn = turn
        disarm(.interruption)
        disarm(.falseInterruption)
        if turn.isSpeaking {
            turn.interruptsAtEndOnly = true
            state = .overlapping(agent, turn)
        } else if agent.isHeard, !turn.isEmpty {
            // It may yet turn out to be an answer, if the agent is about to end.
            disarm(.transcript)
            state = .overlapping(agent, turn)
        } else {
            ignore(&turn, reason(ignoring: turn, over: agent))
            giveFloor(agent)
        }
        emit(.resumePlayout)
    }

    /// The agent has the floor to itself.
    mutating func giveFloor(_ agent: AgentTurn) { state = agent.isHeard ? .speaking(agent) : .thinking(agent) }

    // MARK: Rules

    private var minimumSpeech: SessionTime { milliseconds(settings.interruptionMinMilliseconds) }

    /// What is said before an answer is heard always counts.
    func mayInterrupt(_ agent: AgentTurn) -> Bool {
        agent.isInterruptible && (settings.interruption != .off || !agent.isHeard)
    }

    private func mayInterruptAtOnce(_ agent: AgentTurn, _ turn: CallerTurn) -> Bool {
        guard mayInterrupt(agent), !turn.interruptsAtEndOnly else { return false }
        return !agent.isHeard || warmUpEnd.map { now >= $0 } ?? true
    }

    /// What was said is no interruption, by its words and its length.
    func isShort(_ turn: CallerTurn) -> Bool {
        guard turn.digits.isEmpty, !turn.isEndRequested else { return false }
        switch settings.interruption {
        case .off, .immediate, .finishSentence: return !turn.hasWords
        case .ignoreShort: return turn.speech(at: now) < minimumSpeech || isShortOfWords(turn)
        case .smart: return isShortOfWords(turn)
        }
    }

    private func isShortOfWords(_ turn: CallerTurn) -> Bool {
        TranscriptText.wordCount(turn.words) < max(1, settings.interruptionMinWords) || isBackchannel(turn)
    }

    /// Nothing but phrases that tell the agent to go on.
    private func isBackchannel(_ turn: CallerTurn) -> Bool {
        guard !settings.backchannels.isEmpty else { return false }
        var rest = TranscriptText.normalized(turn.words)[...]
        while !rest.isEmpty {
            let phrase = settings.backchannels.filter { rest == $0 || rest.hasPrefix($0 + " ") }.max {
                $0.count < $1.count
            }
            guard let phrase else { return false }
            rest = rest.dropFirst(phrase.count + 1)
        }
        return true
    }

    func reason(ignoring turn: CallerTurn, over agent: AgentTurn) -> IgnoredReason {
        if !mayInterrupt(agent) { return .uninterruptible }
        return isBackchannel(turn) ? .backchannel : .tooShort
    }
}
