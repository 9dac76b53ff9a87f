import Audio
import Conversation
import LocalProviders
import Testing

@Suite struct LocalSpeechTests {
    @Test(arguments: FliteEngine.voices) func everyVoiceSpeaksAndMarksItsWords(_ voice: String) throws {
        let speech = try FliteEngine.shared.synthesise("Hello there, John.", voice: voice)
        #expect(speech.words.map(\.word) == ["hello", "there", "john"])
        #expect(speech.samples.count > 8_000)
        #expect(zip(speech.words, speech.words.dropFirst()).allSatisfy { $0.end <= $1.start + .milliseconds(1) && $0.start < $0.end })
        #expect(speech.words.last.map { $0.end.samples <= Int64(speech.samples.count) } == true)
    }

    @Test func anUnknownVoiceIsNamedWithTheKnownOnes() {
        let error = #expect(throws: LocalSpeechError.self) { try FliteEngine.shared.synthesise("Hi.", voice: "nobody") }
        #expect(error?.message.contains("slt") == true)
    }

    @Test func espeakSpeaksAt16kHz() throws {
        let speech = try EspeakEngine.shared.synthesise("One two three four five.", voice: "en-us")
        #expect(speech.words.count == 5)
        #expect((8_000...60_000).contains(speech.samples.count))
    }
}
