import Audio
import Logging
import NIOCore
import SessionLog
import SpeechDetection
import SwiftProtobuf
import Telemetry

/// Tells turn taking what happened and does what it asks for.
extension VoiceSession {
    func handle(_ input: TurnInput) {
        for effect in turns.handle(input, at: now) { perform(effect) }
    }

    private func perform(_ effect: TurnEffect) {
        switch effect {
        case .startSpeculation(let id, let text): startSpeculation(id, text)
        case .speakSpeculation(let id):
            guard let speculation, speculation.id == id else { return }
            replies[speculation.reply]?.maySpeak = true
            pump(speculation.reply)
        case .cancelSpeculation(let id): discardSpeculation(id)
        case .commit(let turn, let id): commit(turn, speculation: id)
        case .pausePlayout:
            if let reply = playout.pause(clock) { port.clear(reply: reply) }
        case .resumePlayout: playout.resume(clock)
        case .stopPlayout(_, let point): interrupt(at: point)
        case .setTimer(let timer, let due): timers[timer] = due
        case .cancelTimer(let timer): timers[timer] = nil
        case .requestVerdict(let id, let since, let deadline): askTurnModel(id, since: since, deadline: deadline)
        case .finalizeTranscript: recognition?.finalize()
        case .userStartedSpeaking:
            idlePrompts = 0
            port.notify(.userStartedSpeaking)
        case .userStoppedSpeaking: port.notify(.userStoppedSpeaking)
        case .ignored: metrics.ignoredUtterances.increment()
        case .idle: promptIdleCaller()
        case .ended: break
        }
    }

    // MARK: Commit

    private func commit(_ committed: CommittedTurn, speculation id: UInt32?) {
        let turn = nextTurn
        nextTurn += 1
        metrics.turns.increment()
        log(.userTurn(.with {
            $0.turn = turn
            $0.text = committed.text
            $0.input = InputKind(committed.input)
            $0.speechStart = committed.speechStart.samples
            $0.speechEnd = committed.speechEnd.samples
            $0.confidence = Float(committed.confidence)
            $0.language = agent.language
            $0.endedBy = committed.endedBy.rawValue
            $0.speechToText = providers.speechToText.name
        }))
        port.release()
        port.notify(.userTurn(text: committed.text, input: committed.input))
        let speechEnd = clock - (now - committed.speechEnd).samples * 62_500
        // A turn that the caller leaves behind belongs in the log and needs no answer.
        if committed.endedBy == .hangUp { return }
        if let id, let speculation, speculation.id == id {
            self.speculation = nil
            metrics.speculationsKept.increment()
            promote(speculation.reply, turn: turn, speechEnd: speechEnd)
        } else {
            discardSpeculation(nil)
            answer(turn, speechEnd: speechEnd)
        }
    }

    /// The caller spoke into the agent's reply: nothing more of it is heard, and what was not heard leaves the history.
    private func interrupt(at point: StopPoint) {
        guard let number = playout.currentReply ?? replies.keys.filter({ replies[$0]?.isCommitted == true }).min() else { return }
        metrics.interruptions.increment()
        if point == .sentenceEnd, case .finishing(let clear) = playout.stopAtSentenceEnd(clock) {
            replies[number]?.generation?.cancel()
            replies[number]?.isComplete = true
            if let clear { port.clear(reply: clear) }
        } else {
            stopReply(number, interrupted: true)
        }
        port.notify(.interrupted(number))
    }

    // MARK: The turn model

    private func askTurnModel(_ id: UInt32, since: SessionTime, deadline: SessionTime) {
        guard agent.pipeline.turnModel, let model = environment.turnModel else { return handle(.verdict(id: id, probability: nil)) }
        // The published invocation gives the model half a second before the speech.
        let audio = recent.since(since - .milliseconds(500))
        let eventLoop = eventLoop
        let wait = Duration.milliseconds((deadline - now).milliseconds)
        let answer: @Sendable (Result<TurnVerdict, SpeechDetectionError>) -> Void = { [weak self] outcome in
            self?.assumeIsolated { $0.turnModelAnswered(id, outcome) }
        }
        model.request(audio: audio, deadline: .now + wait) { outcome in
            eventLoop.execute { answer(outcome) }
        }
    }

    private func turnModelAnswered(_ id: UInt32, _ outcome: Result<TurnVerdict, SpeechDetectionError>) {
        guard life != .ended else { return }
        switch outcome {
        case .success(let verdict):
            metrics.verdictsInTime.increment()
            handle(.verdict(id: id, probability: Double(verdict.probability)))
        case .failure(let error):
            if error.code == .late { metrics.verdictsLate.increment() } else { metrics.verdictsSkipped.increment() }
            handle(.verdict(id: id, probability: nil))
        }
        port.flush()
    }

    // MARK: The recogniser

    func openRecogniser() {
        recognitionOrigin = now
        let request = RecognitionRequest(
            session: identity.session, language: agent.language, keyterms: agent.pipeline.keyterms, hint: expectedAnswer)
        recognition = providers.speechToText.open(request, on: eventLoop) { [weak self] event in
            self?.assumeIsolated { $0.recognised(event) }
        }
    }

    private func recognised(_ event: RecognitionEvent) {
        guard life != .ended else { return }
        switch event {
        case .ready: handle(.recogniserLost(false))
        case .interim(let transcript):
            port.notify(.userTranscript(text: transcript.text, final: false, at: now))
            handle(.interim(text: transcript.text))
        case .final(let transcript):
            lastFinalAt = clock
            if !transcript.text.isEmpty { port.notify(.userTranscript(text: transcript.text, final: true, at: now)) }
            handle(.final(text: transcript.text, confidence: transcript.confidence, endsUtterance: transcript.endsUtterance))
        case .speechStarted: break
        case .usage(let seconds): recognitionUsage += seconds
        case .failed(let error): recogniserFailed(error)
        }
        port.flush()
    }

    /// Without ears the conversation cannot go on by voice: try once more after a second, and tell the caller if that is in vain.
    private func recogniserFailed(_ error: ProviderError) {
        reportFailure("stt", error, fatal: false)
        recognition = nil
        handle(.recogniserLost(true))
        guard error.isRetryable else { return apologise(for: error) }
        eventLoop.scheduleTask(in: .seconds(1)) { [weak self] in
            self?.assumeIsolated { session in
                if session.life != .ended, session.recognition == nil { session.openRecogniser() }
            }
        }
    }

    func reportFailure(_ component: String, _ error: ProviderError, fatal: Bool) {
        metrics.providerFailures.increment()
        logger.warning("provider failed", metadata: ["component": "\(component)", "error": "\(error)"])
        log(.error(.with {
            $0.component = component
            $0.code = error.category.rawValue
            $0.message = error.description
            $0.fatal = fatal
        }))
    }

    /// What the flow has asked, for recognisers with grammars.
    var expectedAnswer: RecognitionHint? {
        guard let definition = agent.flow else { return nil }
        let open = definition.slots.first { flow.node == $0.name } ?? definition.slots.first { flow.slots[$0.name] == nil }
        return open?.grammar.map { RecognitionHint(grammar: $0) }
    }
}

extension InputKind {
    init(_ kind: TurnInputKind) {
        switch kind {
        case .speech: self = .inputSpeech
        case .text: self = .inputText
        case .dtmf: self = .inputDtmf
        }
    }
}
