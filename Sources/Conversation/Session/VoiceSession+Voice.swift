import Audio
import Logging
import NIOCore
import SessionLog
import SwiftProtobuf
import Telemetry

/// The synthesiser's events and what playout reports.
extension VoiceSession {
    func openVoice() {
        let provider = providers.textToSpeech[voiceIndex]
        // A voice id means something to its own vendor only.
        let isFirst = provider.name == agent.pipeline.textToSpeech.first?.name
        let request = SynthesisRequest(
            session: identity.session, voice: isFirst ? agent.pipeline.voice : nil, language: agent.language,
            speed: agent.pipeline.speed)
        let index = voiceIndex
        voice = provider.open(request, on: eventLoop) { [weak self] event in
            self?.assumeIsolated { $0.synthesised(event, by: index) }
        }
    }

    func synthesised(_ event: SynthesisEvent, by index: Int) {
        guard isLive, index == voiceIndex else { return }
        switch event {
        case .requested(let sentence): replies[sentence.reply]?.latency.mark(.ttsRequest, at: clock)
        case .audio(let sentence, let samples): received(samples, of: sentence)
        case .marks(let sentence, let words): playout.mark(sentence, words: words)
        case .finished(let sentence, let characters): finishedSentence(sentence, characters)
        case .failed(let sentence, let error, let terminal): voiceFailed(sentence, error, terminal: terminal)
        }
        port.flush()
    }

    private func received(_ samples: [Int16], of sentence: SentenceID) {
        guard let reply = replies[sentence.reply] else { return }
        playout.append(sentence, samples)
        unspoken = 0
        guard !reply.hasAudio else { return }
        replies[sentence.reply]?.hasAudio = true
        replies[sentence.reply]?.latency.mark(.firstByte, at: clock)
        guard reply.isCommitted else { return }
        handle(.replyReady(sentence.reply))
        play(clock)
    }

    private func finishedSentence(_ sentence: SentenceID, _ characters: Int) {
        guard let reply = replies[sentence.reply], playout.awaitsAudio(of: sentence) else { return }
        playout.finish(sentence)
        // What is synthesised for a speculation is logged when it is committed.
        guard reply.isCommitted else {
            replies[sentence.reply]?.heldAudio.append((sentence.index, characters))
            return
        }
        logAudio(of: sentence, characters)
    }

    func logAudio(of sentence: SentenceID, _ characters: Int) {
        logMarks(of: sentence, isPartial: false)
        let samples = playout.samples(of: sentence)
        var usage = ProviderUsage(.textToSpeech, provider: providers.textToSpeech[voiceIndex].name)
        usage.characters = characters
        usage.audioSeconds = Double(samples.samples) / 16_000
        report(usage)
    }

    /// Length and words of a sentence, which tell another owner where to go on.
    func logMarks(of sentence: SentenceID, isPartial: Bool) {
        let words = playout.words(of: sentence)
        let samples = playout.samples(of: sentence)
        log(.sentenceAudio(.with {
            $0.reply = sentence.reply
            $0.index = sentence.index
            $0.samples = samples.samples
            $0.partial = isPartial
            $0.marks = words.map { word in
                WordMark.with {
                    $0.word = word.word
                    $0.start = word.start.samples
                    $0.end = word.end.samples
                }
            }
        }))
    }

    /// A sentence that cannot be spoken is tried once more, then by the next voice. When no voice is left the reply goes on without
    /// it and the client is told; the call ends when the last voice has failed for good, or has failed three sentences in a row.
    private func voiceFailed(_ sentence: SentenceID?, _ error: ProviderError, terminal: Bool) {
        let isLastVoice = voiceIndex + 1 == providers.textToSpeech.count
        let mayRetry = !terminal && error.isRetryable && sentence.map { replies[$0.reply]?.retried.insert($0.index).inserted == true } ?? true
        if !mayRetry, sentence != nil, isLastVoice { unspoken += 1 }
        let isFatal = isLastVoice && (terminal || unspoken >= Self.mostUnspoken)
        reportFailure("tts", error, fatal: isFatal)
        if isFatal {
            port.notify(.error(message: "no voice is available: \(error.provider)", fatal: true))
            return close(.failed, detail: "tts: \(error.category.rawValue)")
        }
        if !mayRetry, !isLastVoice { return nextVoice() }
        guard let sentence, let reply = replies[sentence.reply], Int(sentence.index) < reply.spoken else { return }
        if mayRetry, playout.samples(of: sentence) == .zero {
            voice?.speak(reply.spokenText(Int(sentence.index)), as: sentence, last: false)
        } else {
            port.notify(.error(message: "a sentence could not be spoken: \(error.provider)", fatal: false))
            playout.finish(sentence)
        }
    }

    private static let mostUnspoken = 3

    /// The next voice goes on; a sentence that the one before had begun ends where it is.
    private func nextVoice() {
        voice?.close()
        voiceIndex += 1
        openVoice()
        speakAgain()
    }

    /// A new voice speaks what the one before it has not.
    func speakAgain() {
        for number in replies.keys.sorted() {
            guard let reply = replies[number] else { continue }
            replies[number]?.retried = []
            for index in 0..<reply.spoken {
                let sentence = SentenceID(reply: number, index: UInt32(index))
                guard playout.awaitsAudio(of: sentence) else { continue }
                if playout.samples(of: sentence) > .zero {
                    playout.finish(sentence)
                } else {
                    voice?.speak(reply.spokenText(index), as: sentence, last: reply.isLast(index))
                }
            }
        }
    }

    func played(_ event: PlayoutEvent, _ nanoseconds: Int64) {
        switch event {
        case .sentenceStarted(let sentence):
            guard let reply = replies[sentence.reply] else { return }
            if playout.awaitsAudio(of: sentence) { partialAudio = (sentence, 0) }
            // The client has been told of a sentence that goes on.
            if Int(sentence.index) < reply.sentences.count, reply.remainder?.index != Int(sentence.index) {
                port.notify(.sentence(sentence, text: reply.sentences[Int(sentence.index)], .inProgress))
            }
        case .sentenceFinished(let sentence):
            guard let reply = replies[sentence.reply] else { return }
            replies[sentence.reply]?.played = Int(sentence.index) + 1
            if Int(sentence.index) < reply.sentences.count {
                port.notify(.sentence(sentence, text: reply.sentences[Int(sentence.index)], .completed))
            }
            pump(sentence.reply)
        case .replyFinished(let report):
            logHeard(report, complete: report.isComplete, interrupted: !report.isComplete)
            finishReply(report.reply)
        case .replyStarted(let number):
            if let reply = replies[number] { started(reply, nanoseconds) }
        case .underrun: metrics.underruns.increment()
        }
    }

    private func started(_ reply: Reply, _ nanoseconds: Int64) {
        replies[reply.number]?.hasStarted = true
        port.notify(.agentStartedSpeaking(reply.number))
        handle(.replyStarted(reply.number, interruptible: reply.interruptible))
        guard reply.kind == .answer, reply.turn > 0, reply.latency.speechEnd != nil else { return }
        var latency = reply.latency
        latency.mark(.firstFrame, at: clock)
        replies[reply.number]?.latency = latency
        metrics.record(latency)
        port.notify(.latency(latency))
        log(.latency(.with {
            $0.turn = reply.turn
            $0.reply = reply.number
            $0.speculative = latency.speculative
            for (part, milliseconds) in latency.milliseconds { $0.parts[part.rawValue] = milliseconds }
        }))
    }
}
