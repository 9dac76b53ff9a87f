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
        case .pausePlayout: pausePlayout()
        case .resumePlayout: playout.resume(clock)
        case .stopPlayout(.hangUp, _): stopReplies(interrupted: true)
        case .stopPlayout(_, let point): interrupt(at: point)
        case .setTimer(let timer, let due): timers[timer] = due
        case .cancelTimer(let timer): timers[timer] = nil
        case .requestVerdict(let id, let since, let deadline): askTurnModel(id, since: since, deadline: deadline)
        case .finalizeTranscript:
            sendSilence()
            recognition?.finalize()
        case .userStartedSpeaking:
            idlePrompts = 0
            port.notify(.userStartedSpeaking)
        case .userStoppedSpeaking: port.notify(.userStoppedSpeaking)
        case .ignored(let text, let reason):
            metrics.ignoredUtterances.increment()
            if reason == .backchannel { port.notify(.userBackchannel(text)) }
            if reason == .noWords, recognitionFailures > 0, life == .talking { apologise() }
        case .idle: promptIdleCaller()
        case .ended: break
        }
    }

    private func pausePlayout() {
        guard port.dropsQuietly else { return playout.hold(clock) }
        if let reply = playout.pause(clock) { port.clear(reply: reply, heard: playout.position(of: reply) ?? .zero) }
    }

    // MARK: Commit

    private func commit(_ committed: CommittedTurn, speculation id: UInt32?) {
        let turn = nextTurn
        nextTurn += 1
        idlePrompts = 0
        metrics.turns.increment()
        let through = port.handled
        let sequence = log(.userTurn(.with {
            $0.turn = turn
            $0.text = committed.text
            $0.input = InputKind(committed.input)
            $0.speechStart = committed.speechStart.samples
            $0.speechEnd = committed.speechEnd.samples
            $0.confidence = Float(committed.confidence)
            $0.language = agent.language
            $0.endedBy = committed.endedBy.rawValue
            $0.speechToText = providers.speechToText.name
            $0.through = through
        }))
        releaseWhenStored(sequence, through: through)
        port.notify(.userTurn(text: committed.text, input: committed.input))
        let speechEnd = clock - (now - committed.speechEnd).samples * 62_500
        // A turn that the caller leaves behind belongs in the log and needs no answer.
        if committed.endedBy == .hangUp { return }
        defer { lastFinalAt = 0 }
        let isTextOnly = committed.input == .text && isTypedAloud == false
        if committed.input == .text { isTypedAloud = nil }
        if let id, let speculation, speculation.id == id {
            self.speculation = nil
            metrics.speculationsKept.increment()
            promote(speculation.reply, turn: turn, speechEnd: speechEnd)
        } else {
            discardSpeculation(nil)
            answer(turn, speechEnd: speechEnd, textOnly: isTextOnly)
        }
    }

    /// The caller spoke into the agent's reply: nothing more of it is heard, nor of replies that wait behind it, and what was not
    /// heard leaves the history.
    private func interrupt(at point: StopPoint) {
        guard let number = committedReplies.first else { return playout.resume(clock) }
        metrics.interruptions.increment()
        if point == .sentenceEnd, let playing = playout.currentReply {
            for waiting in committedReplies.reversed() where waiting != playing { stopReply(waiting, interrupted: true) }
            finishSentence(of: playing)
        } else {
            let handOff = committedReplies.compactMap { replies[$0]?.handOff }.last
            stopReplies(interrupted: true)
            if let handOff { take(handOff) }
        }
        transferWhenHeard()
        port.notify(.interrupted(playout.currentReply ?? number))
    }

    /// The sentence being heard is the last one of its reply.
    private func finishSentence(of number: ReplyNumber) {
        guard case .finishing(let clear) = playout.stopAtSentenceEnd(clock, clearing: !port.dropsQuietly) else { return }
        if let clear { port.clear(reply: clear, heard: playout.position(of: clear) ?? .zero) }
        guard var reply = replies[number] else { return }
        reply.generation?.cancel()
        reply.generation = nil
        reply.toolCalls = []
        reply.runningTools = 0
        reply.ends = nil
        reply.isComplete = true
        reply.sentences.removeLast(reply.sentences.count - reply.spoken)
        replies[number] = reply
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
        guard isLive else { return }
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
        let request = RecognitionRequest(
            session: identity.session, language: agent.language, keyterms: agent.pipeline.keyterms, hint: expectedAnswer)
        recognitionOrigin = timeline.transcribedPosition
        silence.forget()
        recognition = providers.speechToText.open(request, on: eventLoop) { [weak self] event in
            self?.assumeIsolated { $0.recognised(event) }
        }
    }

    private func recognised(_ event: RecognitionEvent) {
        guard isLive else { return }
        switch event {
        case .ready: hearsAgain()
        case .interim(let transcript):
            hearsAgain()
            port.notify(.userTranscript(text: transcript.text, final: false, at: now))
            logPartial(transcript.text)
            handle(.interim(text: transcript.text))
        case .final(let transcript):
            hearsAgain()
            lastFinalAt = clock
            if !transcript.text.isEmpty { port.notify(.userTranscript(text: transcript.text, final: true, at: now)) }
            handle(.final(text: transcript.text, confidence: transcript.confidence, endsUtterance: transcript.endsUtterance))
            caughtUp(with: transcript)
        case .speechStarted: break
        case .usage(let seconds): recognitionUsage += seconds
        case .failed(let error): recogniserFailed(error)
        }
        port.flush()
    }

    private func hearsAgain() {
        guard recognitionFailures > 0 else { return }
        recognitionFailures = 0
        handle(.recogniserLost(false))
    }

    /// A recogniser that failed is opened again after 1, 2, 4 and 8 s. Meanwhile a caller who speaks is asked to say it again. When
    /// that was in vain, or the failure is for good, the agent says that it cannot hear and the call ends; a caller who has
    /// typed or pressed keys stays.
    private func recogniserFailed(_ error: ProviderError) {
        recognitionFailures += 1
        recognition = nil
        let isOver = !error.isRetryable || recognitionFailures > Self.recogniserRetries
        reportFailure("stt", error, fatal: isOver)
        handle(.recogniserLost(true))
        guard isOver else {
            let delay = TimeAmount.seconds(1 << Int64(recognitionFailures - 1))
            eventLoop.scheduleTask(in: delay) { [weak self] in
                self?.assumeIsolated { session in
                    if session.isLive, session.recognition == nil { session.openRecogniser() }
                }
            }
            return
        }
        port.notify(.error(message: "\(error.provider) is not available: the agent cannot hear", fatal: false))
        guard !state.userTurns.contains(where: { $0.input != .inputSpeech }) else { return }
        say(agent.deafNotice, kind: .apology, interruptible: false, ends: .failed)
    }

    private static let recogniserRetries = 4

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
