import Audio
import Conversation
import NIOCore
import ProviderSimulator
import Testing

/// One stream into a recogniser, fed from the test.
private final class Ear: Sendable {
    let log = EventLog<RecognitionEvent>()
    private let holder = OnLoop<any RecognitionStream>()

    init(_ recogniser: any SpeechToText, session: String = "session-1") async throws {
        let log = log
        try await holder.run {
            $0 = recogniser.open(RecognitionRequest(session: session, language: "en-US"), on: loop) { log.add($0) }
        }
    }

    /// Tones for speech, zeros for silence, in frames of 20 ms as a session sends them.
    func hear(speech: Int = 0, silence: Int = 0) async throws {
        try await holder.run { stream in
            let loud: [Int16] = (0..<320).map { $0 % 16 < 8 ? 5_000 : -5_000 }
            let quiet = [Int16](repeating: 0, count: 320)
            for _ in 0..<(speech / 20) { stream?.send(loud.span) }
            for _ in 0..<(silence / 20) { stream?.send(quiet.span) }
        }
    }

    func finalize() async throws { try await holder.run { $0?.finalize() } }
    func close() async throws { try await holder.run { $0?.close() } }

    func transcripts(until text: String) async -> [RecognitionEvent] {
        await log.collect {
            switch $0 {
            case .final(let transcript): transcript.text == text
            case .failed: true
            default: false
            }
        }
    }
}

extension RecognitionEvent {
    fileprivate var word: String {
        switch self {
        case .ready: "ready"
        case .interim(let transcript): "interim \(transcript.text)"
        case .final(let transcript): "final \(transcript.text)"
        case .speechStarted: "started"
        case .usage: "usage"
        case .failed(let error): "failed \(error.category.rawValue)"
        }
    }
}

@Suite(.timeLimit(.minutes(1)), .serialized) struct RecognitionTests {
    private func recogniser(_ simulator: ProviderSimulator, key: String? = nil) throws -> any SpeechToText {
        try makeRegistry().speechToText(simulator.configuration("deepgram/nova-3", key: key))
    }

    @Test func interimsGrowAndFinalsComeInTheOrderOfTheScript() async throws {
        try await withSimulator { simulator in
            simulator.say([ScriptedUtterance("one two three"), ScriptedUtterance("four")], tag: "session-1")
            let ear = try await Ear(recogniser(simulator))
            try await ear.hear(silence: 500)
            try await ear.hear(speech: 900, silence: 200)
            let first = await ear.transcripts(until: "one two three")
            #expect(first.first?.word == "ready")
            let interims = first.compactMap { if case .interim(let t) = $0 { t.text } else { nil } }
            #expect(interims.count >= 7 && interims.first == "one" && interims.last?.hasPrefix("one two") == true)
            guard case .final(let transcript) = first.last else { Issue.record("no final"); return }
            #expect(transcript.endsUtterance)
            // 500 ms of silence came before the speech.
            #expect(abs((transcript.start?.milliseconds ?? 0) - 500) <= 40)
            #expect(abs((transcript.end?.milliseconds ?? 0) - 1_400) <= 40)
            try await ear.hear(speech: 300, silence: 200)
            #expect(await ear.transcripts(until: "four").last?.word == "final four")
            #expect(simulator.statistics.lastTag == "session-1")
            try await ear.close()
        }
    }

    @Test func finalizeFlushesWhatIsHeldBack() async throws {
        try await withSimulator {
            $0.recognition.final = .fixed(5_000)
        } _: { simulator in
            simulator.say([ScriptedUtterance("done")])
            let ear = try await Ear(recogniser(simulator))
            try await ear.hear(speech: 400, silence: 100)
            _ = await ear.log.collect { if case .interim = $0 { true } else { false } }
            try await ear.finalize()
            #expect(await ear.transcripts(until: "done").last?.word == "final done")
            try await ear.close()
        }
    }

    @Test func audioSentBeforeTheConnectionIsUpIsNotLost() async throws {
        try await withSimulator { simulator in
            simulator.say([ScriptedUtterance("early")])
            // Refused twice: the connection comes up some hundred milliseconds after the speech.
            simulator.play([.refuse, .status(503, retryAfter: nil)], on: .deepgram)
            let ear = try await Ear(recogniser(simulator))
            try await ear.hear(speech: 500, silence: 300)
            #expect(await ear.transcripts(until: "early").last?.word == "final early")
            try await ear.close()
        }
    }

    @Test func aBrokenConnectionIsMadeAgainAndTheUnfinishedUtteranceSentAgain() async throws {
        try await withSimulator { simulator in
            simulator.say(
                // The first connection gives no final; on a busy machine it may break before it has any audio.
                [ScriptedUtterance("the same words again"), ScriptedUtterance("the same words again")], tag: "session-1")
            simulator.play([.reset(after: 150)], on: .deepgram)
            let ear = try await Ear(recogniser(simulator))
            try await ear.hear(speech: 600)
            let before = await ear.log.collect { if case .interim = $0 { true } else { false } }
            // The utterance's beginning was on the connection that broke; its end comes on the new one, which a busy machine may have
            // made before the first interim transcript was out.
            if before.filter({ $0.word == "ready" }).count < 2 {
                let again = await ear.log.collect { if case .ready = $0 { true } else { false } }
                #expect(again.last?.word == "ready")
            }
            try await ear.hear(silence: 300)
            let events = await ear.transcripts(until: "the same words again")
            guard case .final(let transcript) = events.last else { Issue.record("no final"); return }
            // Times are the stream's, not the second connection's: the speech began at its start.
            #expect(
                (transcript.start?.milliseconds ?? -1) <= 40 && abs((transcript.end?.milliseconds ?? 0) - 600) <= 60)
            try await ear.close()
        }
    }

    @Test(arguments: [(400, ProviderError.Category.invalidRequest), (402, .quota), (403, .permission)])
    func refusalsThatCannotPassAreTerminal(status: Int, category: ProviderError.Category) async throws {
        try await withSimulator { simulator in
            simulator.play([.status(status, retryAfter: nil)], on: .deepgram)
            let ear = try await Ear(recogniser(simulator))
            let events = await ear.log.collect { if case .failed = $0 { true } else { false } }
            guard case .failed(let error) = events.last else { Issue.record("did not fail"); return }
            #expect(error.category == category && error.status == status && error.requestID != nil)
        }
    }

    @Test func aBadKeyFailsAndNamesItsVariable() async throws {
        try await withSimulator { simulator in
            let ear = try await Ear(recogniser(simulator, key: "wrong"))
            let events = await ear.log.collect { if case .failed = $0 { true } else { false } }
            guard case .failed(let error) = events.last else { Issue.record("did not fail"); return }
            #expect(error.category == .authentication && error.message.contains("DEEPGRAM_API_KEY"))
        }
    }

    @Test func aFullConcurrencyLimitIsTriedAgain() async throws {
        try await withSimulator { simulator in
            simulator.say([ScriptedUtterance("at last")])
            simulator.play([.status(429, retryAfter: nil), .garbage(after: 0)], on: .deepgram)
            let ear = try await Ear(recogniser(simulator))
            let events = await ear.log.collect {
                switch $0 {
                case .ready, .failed: true
                default: false
                }
            }
            #expect(events.last?.word == "ready")
            // Garbage is no reason to believe anything else on that connection: the provider gives up.
            let end = await ear.log.collect { if case .failed = $0 { true } else { false } }
            #expect(end.last?.word == "failed protocolViolation")
        }
    }
}
