import Audio

/// The agent's side: replies become ready, are heard, and end.
extension TurnTaking {
    /// The floor as another owner left it.
    mutating func resumed(_ reply: ReplyNumber?, isHeard: Bool, interruptible: Bool) {
        guard case .listening = state else { return }
        disarm(.idle)
        let agent = AgentTurn(reply: reply, isHeard: isHeard, isInterruptible: interruptible)
        state = isHeard ? .speaking(agent) : .thinking(agent)
    }

    mutating func replyReady(_ reply: ReplyNumber) {
        guard reply > goneReply else { return }
        switch state {
        case .listening:
            disarm(.idle)
            state = .thinking(AgentTurn(reply: reply))
        case .thinking(var agent):
            agent.reply = reply
            state = .thinking(agent)
        case .holding(var agent, let turn) where !agent.isHeard:
            agent.reply = reply
            state = .holding(agent, turn)
        case .hearing, .pausing, .speaking, .overlapping, .holding, .ended: break
        }
    }

    mutating func replyStarted(_ reply: ReplyNumber, interruptible: Bool) {
        guard reply > goneReply else { return }
        let agent = AgentTurn(reply: reply, isHeard: true, isInterruptible: interruptible)
        if warmUpEnd == nil { warmUpEnd = now + milliseconds(settings.echoWarmUpMilliseconds) }
        endpointing?.agentStartedSpeaking(at: now)
        unansweredWords = 0
        switch state {
        case .listening:
            disarm(.idle)
            state = .speaking(agent)
        case .thinking, .speaking: state = .speaking(agent)
        case .overlapping(_, let turn): state = .overlapping(agent, turn)
        case .holding(_, let turn): state = .holding(agent, turn)
        case .hearing(var turn), .pausing(var turn): begun(agent, over: &turn)
        case .ended: break
        }
    }

    /// The agent has begun while the caller has the floor (a greeting or a prompt that came at the same time).
    private mutating func begun(_ agent: AgentTurn, over turn: inout CallerTurn) {
        discardSpeculation(of: &turn, counted: true)
        stopDeciding()
        if turn.isSpeaking {
            overlap(agent, turn)
        } else {
            heardOver(agent, turn, isFinal: turn.interim.isEmpty)
        }
    }

    mutating func replyEnded(_ reply: ReplyNumber, wasHeard: Bool) {
        guard reply > goneReply else { return }
        switch state {
        case .listening, .hearing, .pausing, .ended: break
        case .thinking(let agent), .speaking(let agent):
            guard ends(reply, wasHeard: wasHeard, agent) else { return }
            listen()
        case .overlapping(let agent, let turn):
            guard ends(reply, wasHeard: wasHeard, agent) else { return }
            agentEnded(agent, turn)
        case .holding(let agent, let turn):
            guard ends(reply, wasHeard: wasHeard, agent) else { return }
            emit(.resumePlayout)
            disarm(.interruption)
            disarm(.falseInterruption)
            if turn.isSpeaking { hear(turn) } else { decide(turn) }
        }
    }

    /// Replies are heard in order: who has heard a newer one has heard this one.
    private mutating func ends(_ reply: ReplyNumber, wasHeard: Bool, _ agent: AgentTurn) -> Bool {
        let expected = agent.reply ?? reply
        guard reply == expected || wasHeard && reply > expected else { return false }
        goneReply = reply
        return true
    }

    /// The agent has ended by itself: speech over its last part is the answer to it, older back-channels are nothing.
    private mutating func agentEnded(_ agent: AgentTurn, _ turn: CallerTurn) {
        var turn = turn
        disarm(.interruption)
        if turn.isSpeaking {
            turn.interruptsAtEndOnly = false
            return hear(turn)
        }
        let boundary = milliseconds(settings.backchannelBoundaryMilliseconds)
        let isAnswer = now - turn.end <= boundary || !turn.digits.isEmpty || (mayInterrupt(agent) && !isShort(turn))
        if isAnswer || turn.isEmpty { return decide(turn) }
        ignore(&turn, reason(ignoring: turn, over: agent))
        listen()
    }
}
