import Testing

@testable import Conversation

@Suite struct WordTimelineTests {
    private let marked = WordTimeline(
        text: "“Hello there, world.” Bye!",
        marks: [
            .init(word: "Hello", start: 0, end: 4000), .init(word: "there", start: 4000, end: 8000),
            .init(word: "world", start: 9000, end: 12000), .init(word: "Bye", start: 14000, end: 16000),
        ], samples: 17000)

    @Test func wordsPlayedToTheirEndWereHeard() {
        #expect(marked.heard(upTo: 0).text == "")
        #expect(marked.heard(upTo: 3999).text == "")
        #expect(marked.heard(upTo: 4000).text == "“Hello")
        #expect(marked.heard(upTo: 11999).text == "“Hello there,")
        #expect(marked.heard(upTo: 13000).text == "“Hello there, world.”")
        #expect(marked.heard(upTo: 13000).error == 0)
        #expect(marked.heard(upTo: 17000) == .init(text: "“Hello there, world.” Bye!", error: 0, isComplete: true))
    }

    @Test func aTakeoverGoesOnAtTheWordThatWasCut() {
        #expect(marked.wordBoundary(atOrBefore: -5) == .init(sample: 0, remaining: marked.text, error: 0))
        #expect(marked.wordBoundary(atOrBefore: 10000) == .init(sample: 9000, remaining: "world.” Bye!", error: 0))
        #expect(
            marked.wordBoundary(atOrBefore: 13000) == .init(sample: 12000, remaining: "Bye!", error: 0),
            "a pause cuts no word")
        #expect(marked.wordBoundary(atOrBefore: 8500) == .init(sample: 8000, remaining: "world.” Bye!", error: 0))
        #expect(marked.wordBoundary(atOrBefore: 20000).remaining == "")
    }

    @Test func withoutMarksTimeIsSharedBySyllablesAndTheErrorIsStated() {
        let timeline = WordTimeline(text: "one extraordinary day", samples: 16000)
        #expect(timeline.error == 5333)
        let half = timeline.heard(upTo: 8000)
        #expect(half.text == "one")
        #expect(half.error == timeline.error)
        #expect(timeline.heard(upTo: 15000).text == "one extraordinary")
        #expect(timeline.heard(upTo: 16000).isComplete)
        #expect(timeline.wordBoundary(atOrBefore: 5000).sample == 0, "the error is taken off")
    }

    @Test func marksMayBeSplitAndSpelledDifferently() {
        let timeline = WordTimeline(
            text: "New York has 21 twenty-one parks.",
            marks: [
                .init(word: "new york", start: 0, end: 4000), .init(word: "has", start: 4000, end: 5000),
                .init(word: "twenty", start: 9000, end: 10000), .init(word: "one", start: 10000, end: 11000),
                .init(word: "parks", start: 11000, end: 12000), .init(word: "!!", start: 12000, end: 12000),
                .init(word: "zzz", start: 12000, end: 12500),
            ], samples: 13000)
        #expect(timeline.error == 0)
        #expect(timeline.heard(upTo: 4000).text == "New York")
        #expect(timeline.heard(upTo: 8999).text == "New York has")
        #expect(timeline.heard(upTo: 9000).text == "New York has 21")
        #expect(timeline.heard(upTo: 11500).text == "New York has 21 twenty-one")
    }

    @Test func everyCharacterOfChineseIsAWord() {
        let timeline = WordTimeline(text: "你好，世界。", samples: 11000)
        #expect(timeline.heard(upTo: 6500).text == "你好，")
        #expect(timeline.wordBoundary(atOrBefore: 10999).sample > 0)
    }

    @Test func marksThatFitNowhereAreTheSameAsNone() {
        let marks = [WordTimeline.Mark(word: "zzz", start: 0, end: 10), .init(word: "qqq", start: -5, end: 10)]
        #expect(WordTimeline(text: "a b c", marks: marks, samples: 300) == WordTimeline(text: "a b c", samples: 300))
    }

    @Test(arguments: ["", "...", "a", "hello there", "你好"], [-1, 0, 1, 100_000] as [Int64])
    func anyTextAndLengthAreTaken(_ text: String, _ samples: Int64) {
        let marks = [WordTimeline.Mark(word: "a", start: 0, end: 5), .init(word: "hello", start: 3, end: 1)]
        for timeline in [
            WordTimeline(text: text, samples: samples), WordTimeline(text: text, marks: marks, samples: samples),
        ] {
            for sample in [-1, 0, 1, 50_000, .max] as [Int64] {
                let boundary = timeline.wordBoundary(atOrBefore: sample)
                #expect(boundary.sample <= max(sample, 0))
                #expect(boundary.remaining.isEmpty || text.hasSuffix(boundary.remaining))
                #expect(text.hasPrefix(timeline.heard(upTo: sample).text))
            }
        }
    }

    @Test func nothingIsSkippedBetweenHeardAndRemaining() {
        for timeline in [marked, WordTimeline(text: marked.text, samples: 17000)] {
            for sample in stride(from: Int64(0), through: 17000, by: 250) {
                let heard = timeline.heard(upTo: sample).text.filter { !$0.isWhitespace }
                let rest = timeline.wordBoundary(atOrBefore: sample).remaining.filter { !$0.isWhitespace }
                #expect(heard.count + rest.count >= marked.text.filter { !$0.isWhitespace }.count)
            }
        }
    }
}
