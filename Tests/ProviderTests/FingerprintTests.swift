import Testing

@testable import ProviderSimulator
@testable import TestAudio

/// Noise that is the same for the same seed, as loud as speech.
private func noise(_ seed: UInt64, _ count: Int) -> [Int16] {
    var random = SimulatorRandom(state: seed)
    return (0..<count).map { _ in Int16.random(in: -4_000...4_000, using: &random) }
}

@Suite struct FingerprintTests {
    private let clips = [noise(1, 16_000), noise(2, 12_345), noise(3, 8_000)]

    private func stretches(_ stream: [Int16], packet: Int = 320) throws -> [ClipTracker.Stretch] {
        var tracker = ClipTracker(try AudioFingerprints(clips))
        var found: [ClipTracker.Stretch] = []
        let whole = stream + [Int16](repeating: 0, count: 400)
        for start in stride(from: 0, to: whole.count, by: packet) {
            tracker.hear(whole[start..<min(start + packet, whole.count)]) { found.append($0) }
        }
        return found
    }

    @Test func aClipIsFoundFromItsFirstToItsLastSample() throws {
        let stream = [Int16](repeating: 0, count: 777) + clips[1] + [Int16](repeating: 3, count: 500) + clips[2]
        let found = try stretches(stream)
        #expect(found.map(\.clip) == [1, 2])
        #expect(found[0] == .init(clip: 1, from: 0, to: 12_345, start: 777, end: 777 + 12_345))
        #expect(found[1].from == 0 && found[1].to == 8_000 && found[1].end == stream.count)
    }

    @Test(arguments: [1, 79, 80, 81, 5_000, 15_850]) func aCutClipIsFoundWhereItBegins(cut: Int) throws {
        let found = try stretches(noise(9, 300) + clips[0].dropFirst(cut))
        #expect(found == [.init(clip: 0, from: cut, to: 16_000, start: 300, end: 300 + 16_000 - cut)])
    }

    @Test func aJumpInsideAClipIsTwoStretches() throws {
        let found = try stretches(Array(clips[0][..<4_000] + clips[0][9_000...]))
        #expect(found.map(\.from) == [0, 9_000] && found.map(\.to) == [4_000, 16_000])
    }

    @Test func singleSamplesLeftOutOrRepeatedDoNotEndAStretch() throws {
        var stream = clips[0]
        stream.remove(at: 9_001)
        stream.insert(stream[5_000], at: 5_000)
        stream.remove(at: 2_000)
        let found = try stretches(stream)
        #expect(found.count == 1)
        #expect(found.first?.from == 0 && found.first?.to == 16_000 && found.first?.end == stream.count)
    }

    @Test func howTheStreamIsCutIntoPacketsChangesNothing() throws {
        let stream = clips[2] + clips[0].dropFirst(100).dropLast(3_000) + clips[1]
        #expect(try stretches(Array(stream), packet: 1) == stretches(Array(stream), packet: 1_000))
    }

    @Test func clipsThatShareTheirSamplesAreRefused() {
        #expect(throws: AudioFingerprintsError.self) { try AudioFingerprints([clips[0], Array(clips[0][37..<9_000])]) }
        #expect(throws: AudioFingerprintsError.self) { try AudioFingerprints([[Int16](repeating: 0, count: 8_000)]) }
    }

    @Test func wordsOfTheToneVoiceAreUnique() throws {
        // All pairs of 200 words, some of them a letter apart, some with tones in common.
        let words = (0..<200).map { "Word\($0)" } + ["word0", "Word0.", "Word0,"]
        _ = try AudioFingerprints(words.map { ToneVoice.burst($0, rate: 16_000) })
    }
}

@Suite struct KnowingRecogniserTests {
    private let recordings = [("We need four phones.", noise(4, 16_000)), ("My name is Anna.", noise(5, 12_000))]

    private func hear(_ stream: [Int16], finalizeAt: Int? = nil) throws -> [SimulatedRecogniser.Output] {
        let known = try KnownSpeech(recordings)
        var recogniser = KnowingRecogniser(known, RecognitionBehaviour(), rate: 16_000, interims: true)
        var outputs: [SimulatedRecogniser.Output] = []
        for start in stride(from: 0, to: stream.count, by: 320) {
            recogniser.hear(stream[start..<min(start + 320, stream.count)], finalMilliseconds: { 100 }) {
                outputs.append($0)
            }
            if start == finalizeAt { _ = recogniser.finalize { outputs.append($0) } }
        }
        return outputs
    }

    private func finals(_ outputs: [SimulatedRecogniser.Output]) -> [String] {
        outputs.compactMap { if case .final(let words, _, _, _) = $0 { words.joined(separator: " ") } else { nil } }
    }

    private let silence = [Int16](repeating: 0, count: 4_800)

    @Test func anUtteranceIsUnderstoodWordByWord() throws {
        let outputs = try hear(silence + recordings[0].1 + silence)
        let interims = outputs.compactMap { if case .interim(let words, _, _) = $0 { words.count } else { nil } }
        #expect(interims.first == 1 && interims == interims.sorted() && interims.last == 4)
        #expect(outputs.last == .final(["We", "need", "four", "phones."], start: 4_800, end: 20_800, forced: false))
    }

    @Test func whatIsCutAwayIsNotUnderstood() throws {
        #expect(try finals(hear(recordings[0].1.dropFirst(7_000) + silence)) == ["four phones."])
        #expect(try finals(hear(recordings[0].1.dropLast(7_000) + silence)) == ["We need"])
        #expect(
            try finals(hear(Array(recordings[0].1[..<3_000] + recordings[0].1[13_000...]) + silence)) == ["We phones."])
    }

    @Test func anUtteranceSaidAgainIsUnderstoodAgain() throws {
        let twice = recordings[1].1 + silence + recordings[1].1 + silence
        #expect(try finals(hear(twice)) == ["My name is Anna.", "My name is Anna."])
        #expect(
            try finals(hear(recordings[1].1.dropLast(6_000) + recordings[1].1 + silence)) == [
                "My name", "My name is Anna.",
            ])
    }

    @Test func noiseIsNotUnderstood() throws { #expect(try finals(hear(noise(77, 30_000))) == []) }

    @Test func aForcedFinalIsNotDeliveredTwice() throws {
        #expect(try finals(hear(recordings[0].1 + silence, finalizeAt: 8_000)) == ["We need", "four phones."])
    }
}

@Suite struct AnswerBookTests {
    private let book = AnswerBook(
        [
            .init("My name is Anna.", answer: "Welcome Anna. Which company sent you?"),
            .init("Please book it.", lead: "One moment.", tool: "book", answer: "That is done. Anything else?"),
        ], fallback: "Pardon?")

    private func ask(_ text: String, said: String = "", tool: Bool = false, goOn: Bool = false) -> (String, [String]) {
        let question = LanguageQuestion(
            model: "m", lastUserText: text, userTurns: 3, answersTool: tool, toolNames: ["book"], inputTokens: 0,
            saidSince: said,
            isContinuation: goOn)
        let answer = book.answer(question)
        return (answer.text, answer.calls.map(\.arguments))
    }

    @Test func theSameWordsGetTheSameAnswer() {
        #expect(ask("my name is anna").0 == "Welcome Anna. Which company sent you?")
        #expect(ask("My name is").0 == "Welcome Anna. Which company sent you?")
        #expect(ask("Please book it. My name is Anna.").0 == "Welcome Anna. Which company sent you?")
        #expect(ask("Good morning").0 == "Pardon?")
    }

    @Test func anUnfinishedReplyIsGoneOnWith() {
        #expect(ask("My name is Anna.", said: "Welcome Anna.").0 == "Which company sent you?")
        #expect(ask("My name is Anna.", said: "welcome anna Which").0 == "company sent you?")
        #expect(ask("My name is Anna.", said: "Welcome Anna. Which company sent you?", goOn: true).0 == "END")
        #expect(ask("My name is Anna.", said: "Sorry.").0 == "Welcome Anna. Which company sent you?")
    }

    @Test func aToolIsCalledOnceBetweenTheTwoParts() {
        let first = ask("Please book it.")
        #expect(first.0 == "One moment." && first.1 == [#"{"turn":3,"about":"Please book it."}"#])
        #expect(ask("Please book it.", said: "One moment.").0 == "")
        #expect(ask("Please book it.", said: "One moment.").1.count == 1)
        let second = ask("Please book it.", said: "One moment.", tool: true)
        #expect(second.0 == "That is done. Anything else?" && second.1.isEmpty)
    }

    @Test func aRequestToGoOnIsNotTheCallersWords() {
        #expect(AnswerBook.isCue("Please continue your last answer."))
        #expect(AnswerBook.isCue("[go on]") && !AnswerBook.isCue("Let us go back on Monday"))
    }
}
