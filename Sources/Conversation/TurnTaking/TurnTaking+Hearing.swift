import Audio

/// The caller's side: voice and words.
extension TurnTaking {
    mutating func speechStarted(_ start: SessionTime) {
        if let turn = openTurn, turn.isSpeaking { return }
        emit(.userStartedSpeaking(at: start))
        let isAgentHeard = isAgentHeard
        endpointing?.callerStartedSpeaking(at: start, overlapping: isAgentHeard)
        switch state {
        case .listening:
            disarm(.idle)
            hear(open(CallerTurn(start: start, speaking: true)))
        case .hearing, .ended: break
        case .pausing(var turn):
            if turn.isEndRequested, !turn.isEmpty {
                return commit(turn, endedBy: .client, goingOn: open(CallerTurn(start: start, speaking: true)))
            }
            turn.isEndRequested = false
            turn.startedSpeaking(at: start)
            stopDeciding()
            hear(turn)
        case .thinking(let agent): hold(agent, open(CallerTurn(start: start, speaking: true)))
        case .speaking(let agent): overlap(agent, open(CallerTurn(start: start, speaking: true)))
        case .overlapping(let agent, var turn):
            if turn.hasWords, turn.digits.isEmpty,
                start - turn.end > milliseconds(settings.falseInterruptionMilliseconds)
            {
                // What was said long ago and was not worth an interruption does not add up to one.
                ignore(&turn, reason(ignoring: turn, over: agent))
                turn = open(CallerTurn(start: start, speaking: true))
            } else {
                turn.startedSpeaking(at: start)
            }
            stopDeciding()
            overlap(agent, turn)
        case .holding(let agent, var turn):
            turn.startedSpeaking(at: start)
            stopDeciding()
            disarm(.falseInterruption)
            hold(agent, turn)
        }
    }

    mutating func speechEnded(_ end: SessionTime) {
        guard var turn = openTurn, turn.isSpeaking else { return }
        turn.stoppedSpeaking(at: end)
        emit(.userStoppedSpeaking(at: end))
        let isBackchannel = isAgentHeard && isShort(turn)
        endpointing?.callerStoppedSpeaking(at: end, backchannel: isBackchannel)
        if isRecogniserLost { turn.isTranscriptGivenUp = true }
        if !turn.isEndRequested, !turn.isSettled(tolerance: milliseconds(settings.transcriptToleranceMilliseconds)) {
            emit(.finalizeTranscript)
        }
        switch state {
        case .listening, .thinking, .speaking, .ended: break
        case .hearing, .pausing: decide(turn)
        case .overlapping(let agent, _):
            disarm(.interruption)
            judge(agent, turn)
        case .holding(let agent, _): heldCallerStopped(agent, turn)
        }
    }

    mutating func heard(interim text: String) {
        guard !text.isEmpty else { return }
        let text = withoutOwed(text)
        guard var turn = openTurn else { return }
        guard turn.interim != text else { return }
        turn.heard(interim: text)
        heardWords(turn, isFinal: false, endsUtterance: false)
    }

    mutating func heard(final text: String, confidence: Double, endsUtterance: Bool) {
        guard let text = newWords(of: text) else { return }
        guard var turn = openTurn else {
            // Too soft for the VAD, or later than everybody else: words count all the same.
            guard !text.isEmpty else { return }
            var turn = open(CallerTurn(start: now, speaking: false))
            turn.heard(final: text, confidence: confidence, at: now)
            return opened(turn)
        }
        if text.isEmpty, turn.interim.isEmpty, turn.finals.isEmpty { return }
        turn.heard(final: text, confidence: confidence, at: now)
        heardWords(turn, isFinal: true, endsUtterance: endsUtterance)
    }

    /// Words without speech that the VAD would have seen.
    private mutating func opened(_ turn: CallerTurn) {
        switch state {
        case .listening, .hearing, .pausing:
            disarm(.idle)
            decide(turn)
        case .thinking(let agent), .speaking(let agent), .overlapping(let agent, _), .holding(let agent, _):
            heardOver(agent, turn, isFinal: true)
        case .ended: break
        }
    }

    private mutating func heardWords(_ turn: CallerTurn, isFinal: Bool, endsUtterance: Bool) {
        switch state {
        case .listening, .thinking, .speaking, .ended: break
        case .hearing: heardWhileSpeaking(turn, isFinal: isFinal, endsUtterance: endsUtterance)
        case .pausing: decide(turn)
        case .overlapping(let agent, _): heardOver(agent, turn, isFinal: isFinal)
        case .holding(let agent, _): heardHolding(agent, turn, isFinal: isFinal)
        }
    }

    private mutating func heardWhileSpeaking(_ turn: CallerTurn, isFinal: Bool, endsUtterance: Bool) {
        var turn = turn
        if let limit = turn.hasWords && settings.maximumTurnWords > 0 ? settings.maximumTurnWords : nil,
            let unansweredWords,
            unansweredWords + TranscriptText.wordCount(turn.words) >= limit
        {
            self.unansweredWords = nil
            return answerSpeaker(turn)
        }
        let evidence = evidence(turn)
        speculate(
            &turn, mayStart: isFinal && (endsUtterance || evidence == .complete), evidence: evidence, isFinal: isFinal)
        state = .hearing(turn)
    }

    // MARK: The turn in progress

    var openTurn: CallerTurn? {
        switch state {
        case .listening, .thinking, .speaking, .ended: nil
        case .hearing(let turn), .pausing(let turn), .overlapping(_, let turn), .holding(_, let turn): turn
        }
    }

    var isAgentHeard: Bool {
        switch state {
        case .listening, .hearing, .pausing, .thinking, .ended: false
        case .speaking(let agent), .overlapping(let agent, _), .holding(let agent, _): agent.isHeard
        }
    }

    /// Starts the guard against turns that never end.
    mutating func open(_ turn: CallerTurn) -> CallerTurn {
        open(at: turn.start)
        return turn
    }

    mutating func open(at start: SessionTime) {
        guard settings.maximumTurnMilliseconds > 0 else { return }
        arm(.maximumTurn, at: start + milliseconds(settings.maximumTurnMilliseconds))
    }

    /// The caller has the floor.
    mutating func hear(_ turn: CallerTurn) { state = .hearing(turn) }

    mutating func stopDeciding() {
        disarm(.endpoint)
        disarm(.transcript)
    }

    /// The timers of the caller's turn.
    mutating func closeTurn() {
        stopDeciding()
        disarm(.interruption)
        disarm(.falseInterruption)
        disarm(.maximumTurn)
    }

    /// The turn comes to nothing; the state is the caller's business.
    mutating func ignore(_ turn: inout CallerTurn, _ reason: IgnoredReason) {
        closeTurn()
        discardSpeculation(of: &turn)
        owe(turn)
        emit(.ignored(text: turn.text, turn.isEmpty ? .noWords : reason))
    }

    // MARK: Finals of words that were committed or ignored as interims

    /// The interim words of a turn that is done with: their final version is no news.
    mutating func owe(_ turn: CallerTurn) {
        guard !turn.interim.isEmpty else { return }
        let before = owed.map { $0.until >= now ? $0.words : [] } ?? []
        let words = before + TranscriptText.words(turn.interim)
        owed = Owed(words: words, until: now + Self.patience(forWords: words.count))
    }

    /// What a final transcript adds to the words that were done with before it came; nil if it belongs to them altogether.
    private mutating func newWords(of text: String) -> String? {
        guard let owed, owed.until >= now else { return text }
        guard !text.isEmpty else { return text }
        self.owed = nil
        let rest = withoutOwed(text, owed.words)
        if let rest { return rest.isEmpty ? nil : rest }
        if openTurn != nil { return text }
        emit(.ignored(text: text, .late))
        return nil
    }

    /// An interim transcript behind the owed words; if it repeats them, their final version is still to come.
    private mutating func withoutOwed(_ text: String) -> String {
        guard let owed, owed.until >= now, let rest = withoutOwed(text, owed.words) else { return text }
        self.owed?.until = max(owed.until, now + Self.patience(forWords: owed.words.count))
        return rest
    }

    /// `text` behind the owed words, if it begins with (mostly) them, or with their end where the recogniser has dropped the rest.
    private func withoutOwed(_ text: String, _ owed: [String]) -> String? {
        let tokens = text.split(whereSeparator: \.isWhitespace)
        let words = tokens.map { TranscriptText.normalized(String($0)) }
        for first in owed.indices {
            let expected = owed[first...]
            let equal = zip(words, expected).count { $0 == $1 }
            if equal * 2 > expected.count { return tokens.dropFirst(expected.count).joined(separator: " ") }
        }
        return nil
    }
}
