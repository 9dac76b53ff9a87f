import Audio
import Conversation
import NIOCore
import ProviderSimulator
import Testing

/// One voice, told what to say by the test.
private final class Mouth: Sendable {
    let log = EventLog<SynthesisEvent>()
    private let holder = OnLoop<any SynthesisStream>()

    init(_ provider: any TextToSpeech) async throws {
        let log = log
        try await holder.run {
            $0 = provider.open(SynthesisRequest(session: "session-1", language: "en-US"), on: loop) { log.add($0) }
        }
    }

    func speak(_ sentences: [String], reply: UInt32 = 1) async throws {
        try await holder.run { voice in
            for (index, text) in sentences.enumerated() {
                voice?.speak(
                    text, as: SentenceID(reply: reply, index: UInt32(index)), last: index == sentences.count - 1)
            }
        }
    }

    /// Returns how many events there were before.
    @discardableResult
    func cancel(reply: UInt32) async throws -> Int {
        let log = log
        return try await holder.run { voice in
            defer { voice?.cancel(reply: reply) }
            return log.count
        }
    }
    func close() async throws { try await holder.run { $0?.close() } }
}

/// What was heard of each sentence.
private struct Heard {
    var samples: [SentenceID: [Int16]] = [:]
    var marks: [SentenceID: [SpokenWord]] = [:]
    var order: [SentenceID] = []
    var finished: [SentenceID] = []
    var errors: [(SentenceID?, ProviderError)] = []

    init(_ events: [SynthesisEvent]) {
        for event in events {
            switch event {
            case .requested: break
            case .audio(let id, let samples):
                if order.last != id { order.append(id) }
                self.samples[id, default: []] += samples
            case .marks(let id, let words): marks[id, default: []] += words
            case .finished(let id, _): finished.append(id)
            case .failed(let id, let error, _): errors.append((id, error))
            }
        }
    }
}

@Suite(.timeLimit(.minutes(1)), .serialized) struct SynthesisTests {
    static let names = ["elevenlabs/eleven_flash_v2_5", "cartesia/sonic-3"]

    private func vendor(_ name: String) -> SimulatedVendor { name.hasPrefix("eleven") ? .elevenlabs : .cartesia }

    private func voice(_ name: String, _ simulator: ProviderSimulator, key: String? = nil) throws -> any TextToSpeech {
        try makeRegistry().textToSpeech(simulator.configuration(name, key: key))
    }

    private func ends(_ event: SynthesisEvent, _ index: UInt32, reply: UInt32 = 1) -> Bool {
        switch event {
        case .finished(let id, _): id == SentenceID(reply: reply, index: index)
        case .failed(let id, _, let terminal): terminal || id == SentenceID(reply: reply, index: index)
        default: false
        }
    }

    @Test(arguments: names) func sentencesAreHeardWholeInOrderWithTheirWordsInPlace(name: String) async throws {
        try await withSimulator { simulator in
            let mouth = try await Mouth(voice(name, simulator))
            let sentences = [
                "Thanks for calling.", "May I ask", "for your name, please?", "One more.", "And the last one.",
            ]
            try await mouth.speak(sentences)
            let heard = Heard(await mouth.log.collect { ends($0, 4) })
            let ids = (0..<5).map { SentenceID(reply: 1, index: $0) }
            #expect(heard.finished == ids && heard.order == ids && heard.errors.isEmpty)
            for (id, text) in zip(ids, sentences) {
                #expect(heard.samples[id] == ToneVoice.render(text, rate: 16_000))
                let words = ToneVoice.layout(text, rate: 16_000).words
                let marks = heard.marks[id] ?? []
                #expect(marks.map(\.word) == words.map(\.text))
                for (mark, word) in zip(marks, words) {
                    // ElevenLabs counts whole milliseconds for each character.
                    #expect(abs(Int(mark.start.samples) - word.start) <= 16)
                    #expect(abs(Int(mark.end.samples) - word.end) <= 16 * (word.text.count + 1))
                }
            }
            #expect(simulator.statistics.mostContexts <= 5)
            try await mouth.close()
        }
    }

    @Test(arguments: names) func nothingOfACancelledReplyIsHeardAndTheNextOneIs(name: String) async throws {
        try await withSimulator {
            $0.speech.pace = 4
        } _: { simulator in
            let mouth = try await Mouth(voice(name, simulator))
            var (events, cancelled): ([SynthesisEvent], Int) = ([], 0)
            for reply in UInt32(1)...6 {
                try await mouth.speak(["A sentence of some length here.", "And one more.", "And again."], reply: reply)
                events += await mouth.log.collect {
                    if case .audio(let id, _) = $0 { id.reply == reply } else { false }
                }
                cancelled = try await mouth.cancel(reply: reply)
            }
            try await mouth.speak(["Yes?"], reply: 7)
            events += await mouth.log.collect { ends($0, 0, reply: 7) }
            let heard = Heard(Array(events[cancelled...]))
            #expect(heard.errors.isEmpty)
            #expect(heard.finished == [SentenceID(reply: 7, index: 0)])
            #expect(heard.samples[SentenceID(reply: 7, index: 0)] == ToneVoice.render("Yes?", rate: 16_000))
            #expect(simulator.statistics.mostContexts <= 5)
            try await mouth.close()
        }
    }

    @Test(arguments: names) func aSentenceNotYetHeardIsAskedForAgainOnANewConnection(name: String) async throws {
        try await withSimulator {
            $0.speech.firstByte = .fixed(80)
        } _: { simulator in
            simulator.play([.reset(after: 30), .refuse], on: vendor(name))
            let mouth = try await Mouth(voice(name, simulator))
            try await mouth.speak(["Are you still there?"])
            let heard = Heard(await mouth.log.collect { ends($0, 0) })
            #expect(heard.errors.isEmpty)
            #expect(
                heard.samples[SentenceID(reply: 1, index: 0)] == ToneVoice.render("Are you still there?", rate: 16_000))
            #expect(simulator.statistics.requests[vendor(name).rawValue] == 3)
            try await mouth.close()
        }
    }

    @Test(arguments: names) func aSentenceHalfHeardFailsAndTheVoiceGoesOn(name: String) async throws {
        try await withSimulator {
            $0.speech.pace = 0.5
        } _: { simulator in
            let sentences = ["This is a rather long sentence that will be cut.", "Next."]
            // The simulator has them ready then: the connection breaks in the middle of the first, not before it.
            for text in sentences { _ = ToneVoice.render(text, rate: 16_000) }
            simulator.play([.reset(after: 1_500)], on: vendor(name))
            let mouth = try await Mouth(voice(name, simulator))
            try await mouth.speak(sentences)
            let heard = Heard(await mouth.log.collect { ends($0, 1) })
            #expect(heard.errors.map(\.0) == [SentenceID(reply: 1, index: 0)])
            #expect(heard.finished == [SentenceID(reply: 1, index: 1)])
            try await mouth.close()
        }
    }

    @Test(arguments: names) func aBadKeyIsTerminal(name: String) async throws {
        try await withSimulator { simulator in
            let mouth = try await Mouth(voice(name, simulator, key: "wrong"))
            let heard = Heard(await mouth.log.collect { if case .failed(_, _, true) = $0 { true } else { false } })
            #expect(heard.errors.last?.1.category == .authentication)
            #expect(heard.errors.last?.1.message.contains("_API_KEY") == true)
        }
    }

    @Test(arguments: names) func silenceInsteadOfAudioRunsIntoTheDeadlineAndIsTriedAgain(name: String) async throws {
        try await withSimulator { simulator in
            simulator.play([.stall(after: 0)], on: vendor(name))
            let provider = try makeRegistry().textToSpeech(
                simulator.configuration(name, options: ["first_byte_ms": "2000"]))
            let mouth = try await Mouth(provider)
            try await mouth.speak(["Hello?"])
            let heard = Heard(await mouth.log.collect { ends($0, 0) })
            #expect(heard.finished.count == 1 && heard.errors.isEmpty)
            try await mouth.close()
        }
    }
}
