import Audio

/// Timers, and what the caller does besides speaking.
extension TurnTaking {
    mutating func fired(_ timer: TurnTimer) {
        guard armed[Int(timer.rawValue)] != nil else { return }
        armed[Int(timer.rawValue)] = nil
        switch (timer, state) {
        case (.idle, .listening):
            arm(.idle, at: now + milliseconds(settings.idleMilliseconds))
            emit(.idle)
        case (.endpoint, .pausing(var turn)), (.transcript, .pausing(var turn)):
            if case .asked(_, let deadline) = turn.verdict, now >= deadline { turn.verdict = .missing }
            decide(turn)
        case (.endpoint, .overlapping(let agent, let turn)), (.transcript, .overlapping(let agent, let turn)):
            if !turn.isSpeaking { judge(agent, turn) }
        case (.transcript, .holding(let agent, let turn)): heldCallerStopped(agent, turn)
        case (.interruption, .overlapping(let agent, let turn)): overlap(agent, turn)
        case (.interruption, .holding(let agent, let turn)): heardHolding(agent, turn, isFinal: false)
        case (.falseInterruption, .holding(let agent, let turn)): falseInterruption(agent, turn)
        case (.maximumTurn, _): turnIsTooLong()
        case (.idle, _), (.endpoint, _), (.transcript, _), (.interruption, _), (.falseInterruption, _): break
        }
    }

    private mutating func turnIsTooLong() {
        switch state {
        case .listening, .thinking, .speaking, .ended: break
        case .hearing(let turn):
            if turn.isEmpty { open(at: now) } else { answerSpeaker(turn) }
        case .pausing(var turn):
            if turn.isEmpty {
                ignore(&turn, .noWords)
                listen()
            } else {
                commit(turn, endedBy: .timeout)
            }
        case .overlapping(let agent, var turn):
            guard !turn.isSpeaking, turn.digits.isEmpty else { return open(at: now) }
            ignore(&turn, reason(ignoring: turn, over: agent))
            giveFloor(agent)
        case .holding(let agent, let turn):
            if turn.hasWords, !isShort(turn) {
                stop(agent, .speech, at: .now)
                answerSpeaker(turn)
            } else {
                open(at: now)
                falseInterruption(agent, turn)
            }
        }
    }

    // MARK: Typed text

    mutating func typed(_ text: String, interrupts: Bool) {
        guard text.contains(where: { !$0.isWhitespace }) else { return }
        let isFree = if case .listening = state { true } else { false }
        let waits = !interrupts && waitingText.count + text.count <= Self.maximumWaitingText || !isInterruptible
        if waits, !isFree {
            waitingText += waitingText.isEmpty ? text : "\n" + text
            return
        }
        switch state {
        case .listening: disarm(.idle)
        case .thinking(let agent), .speaking(let agent): stop(agent, .text, at: .now)
        case .hearing(let turn), .pausing(let turn): return commit(turn, adding: text)
        case .overlapping(let agent, var turn):
            ignore(&turn, reason(ignoring: turn, over: agent))
            stop(agent, .text, at: .now)
        case .holding(let agent, let turn):
            stop(agent, .text, at: .now)
            return commit(turn, adding: text)
        case .ended: return
        }
        commit(text)
    }

    var isInterruptible: Bool {
        switch state {
        case .listening, .hearing, .pausing, .ended: true
        case .thinking(let agent), .speaking(let agent), .overlapping(let agent, _), .holding(let agent, _):
            agent.isInterruptible
        }
    }

    /// Text typed into the caller's own speech ends the turn. Who goes on speaking is waited for before the answer.
    private mutating func commit(_ turn: CallerTurn, adding text: String) {
        var turn = turn
        closeTurn()
        discardSpeculation(of: &turn)
        if turn.isSpeaking { hold(AgentTurn(), open(turn.rest(at: now))) } else { state = .thinking(AgentTurn()) }
        turn.typed = text
        emitCommit(turn, endedBy: .client, speculation: nil)
    }

    private mutating func commit(_ text: String) {
        state = .thinking(AgentTurn())
        var turn = CallerTurn(start: now, speaking: false)
        turn.typed = text
        emitCommit(turn, endedBy: .client, speculation: nil)
    }

    /// Text that waited for the floor is answered now.
    mutating func commitWaitingText() {
        let text = waitingText
        waitingText = ""
        commit(text)
    }

    // MARK: Digits

    mutating func pressed(_ digits: String) {
        guard !digits.isEmpty else { return }
        switch state {
        case .listening:
            disarm(.idle)
            pressed(digits, open(CallerTurn(start: now, speaking: false)))
        case .hearing(let turn), .pausing(let turn): pressed(digits, turn)
        case .thinking(let agent), .speaking(let agent):
            let turn = open(CallerTurn(start: now, speaking: false))
            press(digits, agent, turn)
        case .overlapping(let agent, let turn), .holding(let agent, let turn): press(digits, agent, turn)
        case .ended: break
        }
    }

    /// Keys pressed while the agent has the floor stop it, unless it may not be interrupted.
    private mutating func press(_ digits: String, _ agent: AgentTurn, _ turn: CallerTurn) {
        guard agent.isInterruptible else {
            var turn = turn
            turn.pressed(digits, at: now)
            state = .overlapping(agent, turn)
            return
        }
        disarm(.interruption)
        disarm(.falseInterruption)
        stop(agent, .dtmf, at: .now)
        pressed(digits, turn)
    }

    private mutating func pressed(_ digits: String, _ turn: CallerTurn) {
        var turn = turn
        turn.pressed(digits, at: now)
        if turn.isSpeaking { hear(turn) } else { decide(turn) }
    }
}
