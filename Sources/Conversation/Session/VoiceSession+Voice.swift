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
        let request = SynthesisRequest(
            session: identity.session, voice: agent.pipeline.voice, language: agent.language, speed: agent.pipeline.speed)
        let index = voiceIndex
        voice = provider.open(request, on: eventLoop) { [weak self] event in
            self?.assumeIsolated { $0.synthesised(event, by: index) }
        }
    }

    private func synthesised(_ event: SynthesisEvent, by index: Int) {
        guard life != .ended, index == voiceIndex else { return }
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
        guard !reply.hasAudio else { return }
        replies[sentence.reply]?.hasAudio = true
        replies[sentence.reply]?.latency.mark(.firstByte, at: clock)
        guard reply.isCommitted else { return }
        handle(.replyReady(sentence.reply))
        play(clock)
    }

    private func finishedSentence(_ sentence: SentenceID, _ characters: Int) {
        guard replies[sentence.reply] != nil else { return }
        playout.finish(sentence)
        let words = playout.words(of: sentence)
        let samples = playout.samples(of: sentence)
        let provider = providers.textToSpeech[voiceIndex].name
        guard replies[sentence.reply]?.isCommitted == true else { return }
        log(.sentenceAudio(.with {
            $0.reply = sentence.reply
            $0.index = sentence.index
            $0.samples = samples.samples
            $0.marks = words.map { word in
                WordMark.with {
                    $0.word = word.word
                    $0.start = word.start.samples
                    $0.end = word.end.samples
                }
            }
        }))
        log(.usage(.with {
            $0.kind = "tts"
            $0.provider = provider
            $0.characters = Int64(characters)
            $0.audioSeconds = Double(samples.samples) / 16_000
        }))
    }

    /// A sentence that cannot be spoken by one voice is spoken by the next one; when none is left the reply ends where it is.
    private func voiceFailed(_ sentence: SentenceID?, _ error: ProviderError, terminal: Bool) {
        reportFailure("tts", error, fatal: terminal && voiceIndex + 1 == providers.textToSpeech.count)
        if terminal || !error.isRetryable, voiceIndex + 1 < providers.textToSpeech.count {
            voice?.close()
            voiceIndex += 1
            openVoice()
        } else if terminal {
            port.notify(.error(message: "no voice is available: \(error.provider)", fatal: true))
            return close(.failed, detail: "tts: \(error.category.rawValue)")
        }
        guard let sentence, let reply = replies[sentence.reply], Int(sentence.index) < reply.sentences.count else { return }
        if playout.samples(of: sentence) == .zero, error.isRetryable || voiceIndex > 0 {
            voice?.speak(reply.sentences[Int(sentence.index)], as: sentence, last: false)
        } else {
            playout.finish(sentence)
        }
    }

    func played(_ event: PlayoutEvent, _ nanoseconds: Int64) {
        switch event {
        case .sentenceStarted(let sentence):
            guard let reply = replies[sentence.reply] else { return }
            if Int(sentence.index) < reply.sentences.count {
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
            logHeard(report, complete: true, interrupted: false)
            finishReply(report.reply)
        case .replyStarted(let number):
            if let reply = replies[number] { started(reply, nanoseconds) }
        case .underrun: metrics.underruns.increment()
        }
    }

    private func started(_ reply: Reply, _ nanoseconds: Int64) {
        port.notify(.agentStartedSpeaking(reply.number))
        handle(.replyStarted(reply.number, interruptible: reply.interruptible))
        guard reply.kind == .answer, reply.turn > 0 else { return }
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
