import Audio
import Logging
import NIOCore
import SessionLog
import SwiftProtobuf
import Telemetry

/// From a turn to sentences: generation, speculation, logging, speaking.
extension VoiceSession {
    // MARK: Starting

    func makeReply(_ kind: Reply.Kind, turn: TurnNumber, phase: Reply.Phase, basis: String) -> Reply {
        let number = nextReply
        nextReply += 1
        var reply = Reply(
            number: number, kind: kind, turn: turn, phase: phase, basis: basis, splitter: SentenceSplitter(),
            speech: SpeechText(options: .init(replacements: agent.pronunciation)))
        reply.isTextOnly = !speaksAloud
        return reply
    }

    func greet() {
        guard let greeting = agent.greeting else { return }
        if let text = greeting.say {
            say(text, kind: .greeting, interruptible: greeting.interruptible)
        } else {
            var reply = makeReply(.greeting, turn: 0, phase: .committed, basis: "")
            reply.interruptible = greeting.interruptible
            openGenerated(reply)
        }
    }

    /// Speaks a text as written, as a reply of its own.
    func say(_ text: String, kind: Reply.Kind, interruptible: Bool = true, ends: EndReason? = nil) {
        var reply = makeReply(kind, turn: 0, phase: .committed, basis: "")
        reply.interruptible = interruptible
        reply.ends = ends
        open(reply)
        receivedText(reply.number, text)
        completeText(reply.number)
    }

    /// `speechEnd`: monotonic nanoseconds; nil where another owner heard it.
    func answer(_ turn: TurnNumber, speechEnd: Int64?, textOnly: Bool = false) {
        var reply = makeReply(.answer, turn: turn, phase: .committed, basis: "")
        if textOnly { reply.isTextOnly = true }
        reply.latency.turn = turn
        reply.latency.speechEnd = speechEnd
        reply.latency.mark(.endOfTurn, at: clock)
        if lastFinalAt > 0 { reply.latency.mark(.finalTranscript, at: lastFinalAt) }
        openGenerated(reply)
    }

    /// A committed reply begins: log it and announce it.
    private func open(_ reply: Reply) {
        replies[reply.number] = reply
        if !reply.isTextOnly { playout.begin(reply.number) }
        logStart(reply)
        port.notify(.agentThinking(reply.number))
    }

    /// A committed reply that a language model writes.
    private func openGenerated(_ reply: Reply) {
        var reply = reply
        reply.model = providers.languageModel.models[0].name
        open(reply)
        generate(reply.number)
    }

    private func logStart(_ reply: Reply) {
        log(.replyStarted(.with {
            $0.reply = reply.number
            $0.turn = reply.turn
            $0.kind = ReplyKind(reply.kind)
            $0.languageModel = reply.model
            $0.voice = agent.pipeline.voice ?? ""
            $0.textOnly = reply.isTextOnly
        }))
    }

    // MARK: Speculation

    func startSpeculation(_ id: UInt32, _ text: String) {
        discardSpeculation(nil)
        let reply = makeReply(.answer, turn: nextTurn, phase: .speculative(id: id), basis: text)
        replies[reply.number] = reply
        replies[reply.number]?.latency.speculative = true
        speculation = (id, reply.number)
        generate(reply.number)
    }

    /// Throws the held reply away; what it cost is counted.
    func discardSpeculation(_ id: UInt32?) {
        guard let current = speculation, id == nil || current.id == id else { return }
        speculation = nil
        metrics.speculationsDiscarded.increment()
        guard let reply = replies.removeValue(forKey: current.reply) else { return }
        reply.generation?.cancel()
        if reply.spoken > 0 { voice?.cancel(reply: reply.number) }
        playout.discard(reply.number)
        log(.usage(.with {
            $0.kind = "llm"
            $0.provider = reply.model
            $0.outputTokens = Int64(reply.sentences.reduce(0) { $0 + $1.count } / 4)
            $0.wasted = true
        }))
        guard reply.spoken > 0 else { return }
        log(.usage(.with {
            $0.kind = "tts"
            $0.provider = providers.textToSpeech[voiceIndex].name
            $0.characters = Int64(reply.sentences[..<reply.spoken].reduce(0) { $0 + $1.count })
            $0.wasted = true
        }))
    }

    /// The speculation was right: log what it has said and let it be heard.
    func promote(_ number: ReplyNumber, turn: TurnNumber, speechEnd: Int64) {
        guard var reply = replies[number] else { return answer(turn, speechEnd: speechEnd) }
        reply.phase = .committed
        reply.maySpeak = true
        reply.turn = turn
        reply.latency.turn = turn
        reply.latency.speechEnd = speechEnd
        reply.latency.mark(.endOfTurn, at: clock)
        if lastFinalAt > 0 { reply.latency.mark(.finalTranscript, at: lastFinalAt) }
        replies[number] = reply
        if !reply.isTextOnly { playout.begin(number) }
        logStart(reply)
        port.notify(.agentThinking(number))
        if !reply.heldText.isEmpty { port.notify(.agentText(number, reply.heldText)) }
        for step in reply.flowSteps { apply(step, turn: turn) }
        for index in 0..<reply.spoken { logSentence(number, index) }
        for audio in reply.heldAudio { logAudio(of: SentenceID(reply: number, index: audio.index), audio.characters) }
        if reply.isComplete { completeText(number) } else { pump(number) }
        if reply.hasAudio { handle(.replyReady(number)) }
        runTools(number)
    }

    // MARK: Generation

    func generate(_ number: ReplyNumber) {
        guard let reply = replies[number] else { return }
        var context = ConversationHistory.context(of: state, limits: agent.limits)
        if case .speculative = reply.phase { context.append(.message(ChatMessage(.user, reply.basis))) }
        if reply.isContinued { context.askToContinue() }
        let position = flow
        var request = GenerationRequest(
            session: identity.session, instructions: ConversationHistory.instructions(for: agent, position: position),
            context: context, tools: reply.step < agent.limits.maxToolSteps ? offeredTools.map(\.definition) : [],
            temperature: agent.pipeline.temperature, maxOutputTokens: agent.pipeline.maxOutputTokens)
        request.isSpeculative = !reply.isCommitted
        if let definition = agent.flow { request.flow = FlowContext(definition: definition, position: position, isOpening: reply.kind == .greeting || reply.isContinued) }
        let step = reply.step
        let generation = providers.languageModel.generate(request, on: eventLoop) { [weak self] name in
            self?.assumeIsolated { $0.replies[number]?.model = name }
        } passedOver: { [weak self] error in
            self?.assumeIsolated { $0.passedOver(error) }
        } events: { [weak self] event in
            self?.assumeIsolated { $0.generated(event, number, step) }
        }
        replies[number]?.generation = generation
    }

    private func generated(_ event: GenerationEvent, _ number: ReplyNumber, _ step: Int) {
        guard isLive, let reply = replies[number], reply.step == step else { return }
        switch event {
        case .requested: replies[number]?.latency.mark(.llmRequest, at: clock)
        case .text(let text):
            replies[number]?.latency.mark(.firstToken, at: clock)
            receivedText(number, text)
        case .toolCall(let call): replies[number]?.toolCalls.append(call)
        case .flow(let flowStep):
            replies[number]?.flowSteps.append(flowStep)
            if flowStep.ends { replies[number]?.ends = .completed }
            if reply.isCommitted { apply(flowStep, turn: reply.turn) }
        case .finished(_, let usage): finishedStep(number, usage)
        case .failed(let error): generationFailed(number, error)
        }
        port.flush()
    }

    private func finishedStep(_ number: ReplyNumber, _ usage: TokenUsage) {
        guard let reply = replies[number] else { return }
        replies[number]?.generation = nil
        if usage.input + usage.output > 0 {
            var used = ProviderUsage(.languageModel, provider: reply.model)
            used.inputTokens = usage.input
            used.cachedInputTokens = usage.cachedInput
            used.outputTokens = usage.output
            report(used)
        }
        // A model that calls tools where none are offered any more has had its say.
        if reply.step >= agent.limits.maxToolSteps { replies[number]?.toolCalls = [] }
        guard replies[number]?.toolCalls.isEmpty == false else { return completeText(number) }
        flushSentences(number)
        runTools(number)
    }

    /// One model of the chain has failed, and the next one is asked.
    private func passedOver(_ error: ProviderError) {
        guard isLive else { return }
        reportFailure("llm", error, fatal: false)
    }

    private func generationFailed(_ number: ReplyNumber, _ error: ProviderError) {
        guard let reply = replies[number] else { return }
        reportFailure("llm", error, fatal: false)
        replies[number]?.generation = nil
        if !reply.isCommitted { return discardSpeculation(nil) }
        replies[number]?.toolCalls = []
        completeText(number)
    }

    /// Tells the caller that something is broken, at most once at a time.
    func apologise() {
        guard !replies.values.contains(where: { $0.kind == .apology }) else { return }
        say(agent.apology, kind: .apology)
    }

    // MARK: Sentences

    private func receivedText(_ number: ReplyNumber, _ text: String) {
        guard var reply = replies.removeValue(forKey: number) else { return }
        reply.lastTextAt = clock
        let ready = reply.splitter.append(reply.speech.append(text))
        let isCommitted = reply.isCommitted
        replies[number] = reply
        if isCommitted { port.notify(.agentText(number, text)) } else { replies[number]?.heldText += text }
        add(ready, to: number)
    }

    private func flushSentences(_ number: ReplyNumber) { add(rest(of: number), to: number) }

    /// What the splitter still holds.
    private func rest(of number: ReplyNumber) -> [String] {
        guard var reply = replies.removeValue(forKey: number) else { return [] }
        var ready = reply.splitter.append(reply.speech.finish())
        ready += reply.splitter.finish()
        replies[number] = reply
        return ready
    }

    /// A model that dribbles: after 300 ms without text, what is there is spoken up to a clause, if the caller hears nothing else.
    func flushStalledText(_ nanoseconds: Int64) {
        for (number, reply) in replies
        where reply.isCommitted && !reply.isTextOnly && reply.generation != nil && reply.spoken == reply.played && reply.lastTextAt > 0
            && nanoseconds - reply.lastTextAt > 300_000_000
        {
            if let clause = replies[number]?.splitter.flushAfterStall() { add([clause], to: number) }
        }
    }

    private func add(_ sentences: [String], to number: ReplyNumber) {
        let isContinued = replies[number]?.isContinued ?? false
        let spoken = sentences.filter { SpeechText.isSpeakable($0) && !(isContinued && ChatContext.saysThatItWasComplete($0)) }
        guard !spoken.isEmpty else { return }
        replies[number]?.latency.mark(.firstSentence, at: clock)
        replies[number]?.sentences += spoken
        pump(number)
    }

    /// No more text comes. An answer is never silence: where the model had nothing to say the agent apologises.
    func completeText(_ number: ReplyNumber) {
        var last = rest(of: number)
        if let reply = replies[number], reply.isCommitted, reply.sentences.isEmpty, !last.contains(where: SpeechText.isSpeakable),
            reply.kind == .answer || reply.kind == .greeting, reply.ends == nil, reply.handOff == nil
        {
            receivedText(number, agent.apology)
            last += rest(of: number)
        }
        replies[number]?.isComplete = true
        add(last, to: number)
        guard let reply = replies[number] else { return }
        if reply.isCommitted {
            logWritten(reply)
            port.notify(.agentFinishedThinking(number))
        }
        pump(number)
        if reply.isTextOnly, reply.isCommitted { finishReply(number) }
    }

    /// The sentences that were logged before it was known that none follows do not say so.
    private func logWritten(_ reply: Reply) {
        guard !reply.sentences.isEmpty, state.reply(reply.number)?.isComplete == false, reply.spoken == reply.sentences.count else { return }
        log(.replyWritten(.with {
            $0.reply = reply.number
            $0.sentences = UInt32(reply.sentences.count)
        }))
    }

    /// Hands as many sentences to the TTS as may be with it now.
    func pump(_ number: ReplyNumber) {
        if replies[number]?.isTextOnly == true { return write(number) }
        while let reply = replies[number], reply.spoken < min(reply.sentences.count, reply.speakLimit) {
            let index = reply.spoken
            let sentence = SentenceID(reply: number, index: UInt32(index))
            replies[number]?.spoken += 1
            playout.announce(sentence, text: reply.spokenText(index))
            if index < reply.logged {
                playout.release(sentence)
            } else if reply.isCommitted {
                logSentence(number, index)
            }
            voice?.speak(reply.spokenText(index), as: sentence, last: reply.isLast(index))
        }
        guard let reply = replies[number], reply.isCommitted, reply.isComplete, reply.spoken == reply.sentences.count else { return }
        playout.complete(number, sentences: reply.sentences.count)
        if reply.sentences.isEmpty { finishReply(number) }
    }

    /// The sentence is in the log before its audio leaves; after 50 ms without an answer it leaves anyway and is counted.
    func logSentence(_ number: ReplyNumber, _ index: Int) {
        guard let reply = replies[number] else { return }
        let sentence = SentenceID(reply: number, index: UInt32(index))
        let sequence = log(.sentence(.with {
            $0.reply = number
            $0.index = UInt32(index)
            $0.text = reply.sentences[index]
            $0.last = reply.isLast(index)
        }))
        port.notify(.sentence(sentence, text: reply.sentences[index], reply.isTextOnly ? .textOnly : .new))
        guard !reply.isTextOnly else { return }
        let timer = eventLoop.scheduleTask(in: .milliseconds(50)) { [weak self] in
            self?.assumeIsolated { session in
                guard session.replies[number] != nil else { return }
                session.metrics.unloggedSentences.increment()
                session.release(sentence)
            }
        }
        journal.whenStored(sequence) { [weak self] in
            timer.cancel()
            self?.assumeIsolated { $0.release(sentence) }
        }
    }

    private func release(_ sentence: SentenceID) {
        guard isLive else { return }
        playout.release(sentence)
    }

    // MARK: The end of a reply

    /// Committed replies that have not ended, in the order in which they are heard.
    var committedReplies: [ReplyNumber] { replies.filter { $0.value.isCommitted }.keys.sorted() }

    /// Stops everything that the agent is saying or about to say.
    func stopReplies(interrupted: Bool) {
        let stopped = committedReplies
        let heard = stopped.last.flatMap { playout.heardSoFar(of: $0) } ?? .zero
        for number in stopped { stopReply(number, interrupted: interrupted) }
        if let last = stopped.last { port.clear(reply: last, heard: heard) }
        playout.resume(clock)
    }

    /// Stops a reply for good: model, voice and playout; logs what was heard.
    func stopReply(_ number: ReplyNumber, interrupted: Bool) {
        if playout.currentReply == number { tellProgress(clock, atOnce: true) }
        let reply = replies.removeValue(forKey: number)
        reply?.generation?.cancel()
        voice?.cancel(reply: number)
        if let report = playout.stop(number, clock) { logHeard(report, complete: false, interrupted: interrupted) }
        if let reply, reply.isTextOnly { logTextOnly(reply, interrupted: interrupted) }
        if reply?.hasStarted == true { port.notify(.agentStoppedSpeaking(number)) }
    }

    func logHeard(_ report: HeardReport, complete: Bool, interrupted: Bool) {
        log(.heard(.with {
            $0.reply = report.reply
            $0.samples = report.heard.samples
            $0.text = [heardBefore.removeValue(forKey: report.reply) ?? "", report.text].filter { !$0.isEmpty }.joined(separator: " ")
            $0.error = report.error.samples
            $0.interrupted = interrupted
            $0.complete = complete
        }))
    }

    func finishReply(_ number: ReplyNumber) {
        guard let reply = replies.removeValue(forKey: number) else { return }
        if let handOff = reply.handOff { take(handOff) }
        if reply.hasStarted {
            port.notify(.agentStoppedSpeaking(number))
            handle(.replyFinished(number))
        } else {
            // Nothing of it is left to be said.
            log(.heard(.with {
                $0.reply = number
                $0.complete = true
            }))
            handle(.replyFailed(number))
        }
        recognition?.expect(expectedAnswer)
        if let reason = reply.ends { return close(reason) }
        if reply.handOff != nil, life == .talking, committedReplies.isEmpty { introduce() }
    }

    /// After a long silence the agent asks; after the third time in vain the call ends.
    func promptIdleCaller() {
        idlePrompts += 1
        if idlePrompts >= 3 { return close(.idle) }
        // Who has not finished the handshake is not spoken to.
        if life == .talking { say(agent.idlePrompt, kind: .say) }
    }
}

extension ReplyKind {
    init(_ kind: Reply.Kind) {
        switch kind {
        case .answer: self = .replyAnswer
        case .greeting: self = .replyGreeting
        case .say: self = .replySay
        case .apology: self = .replyApology
        }
    }
}
