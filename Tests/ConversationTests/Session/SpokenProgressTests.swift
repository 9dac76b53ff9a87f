import Audio
import SessionLog
import Testing

@testable import Conversation

/// Clients are told which words have been heard, in step with the audio.
@Suite struct SpokenProgressTests {
    private static func run(_ text: String, milliseconds: Int, marks: [SpokenWord] = []) -> PlayoutRun {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, text, milliseconds: milliseconds)
        run.playout.mark(PlayoutRun.id(1, 0), words: marks)
        run.playout.complete(1, sentences: 1)
        return run
    }

    private static func word(_ text: String, _ start: Int64, _ end: Int64) -> SpokenWord {
        SpokenWord(word: text, start: .milliseconds(start), end: .milliseconds(end))
    }

    @Test func wordsAreToldWhenTheyHaveBeenHeardAndNotWhenTheyWereSent() {
        var run = Self.run(
            "One two three.", milliseconds: 900,
            marks: [Self.word("One", 0, 300), Self.word("two", 300, 600), Self.word("three", 600, 850)])
        var progress = SpokenProgress()
        var told: [String: Int64] = [:]
        while run.now < 1_200 {
            run.tick()
            if let step = progress.next(run.playout, at: run.nanoseconds) { told["\(step.text)|\(step.remaining)"] = run.now }
            run.run(to: run.now + 20)
        }
        #expect(told == ["One| two three.": 300, "One two| three.": 600])
    }

    @Test func nothingIsSaidMoreOftenThanTenTimesASecondNorTwice() {
        let text = (1...40).map { "w\($0)" }.joined(separator: " ")
        var run = Self.run(text, milliseconds: 2_000)
        var progress = SpokenProgress()
        var times: [Int64] = []
        var texts: [String] = []
        while run.now < 2_400 {
            run.tick()
            if let step = progress.next(run.playout, at: run.nanoseconds) {
                times.append(run.now)
                texts.append(step.text)
                #expect(step.text + step.remaining == text)
            }
            run.run(to: run.now + 20)
        }
        let pauses = zip(times, times.dropFirst()).map { $1 - $0 }
        #expect(pauses.allSatisfy { $0 >= 100 })
        #expect(times.count >= 15)
        let lengths = texts.map(\.count)
        #expect(Set(lengths).count == lengths.count)
        #expect(lengths == lengths.sorted())
    }

    @Test func aReplyThatIsStoppedTellsItsLastWordsFirst() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            try await call.says("What do you sell?")
            await call.advance(400)
            try await call.answers("We sell green tea and black tea and white tea.")
            await call.advance(1_500)
            try await call.receive(.text("Stop.", interrupts: true, speak: true))
            let state = try await call.state()
            let heard = state.reply(2)?.heard?.text ?? ""
            let steps = try await call.on { [media = call.media] _ in
                media.notices.compactMap { notice -> String? in
                    guard case .spoken(let id, let text, _) = notice, id.reply == 2 else { return nil }
                    return text
                }
            }
            #expect(!heard.isEmpty)
            #expect(steps.count > 2)
            #expect(steps.last == heard)
        }
    }

    @Test func nobodyIsToldAnythingWhileNobodySpeaks() async throws {
        try await SessionCall.run { call in
            try await call.greeted()
            let before = try await call.on { [media = call.media] _ in media.notices.count }
            await call.advance(5_000)
            let after = try await call.on { [media = call.media] _ in media.notices.count }
            #expect(after == before)
        }
    }
}
