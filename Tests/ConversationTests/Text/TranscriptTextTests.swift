import Testing

@testable import Conversation

@Suite struct TranscriptTextTests {
    @Test func whatRecognisersChangeDoesNotCount() {
        #expect(TranscriptText.normalized("Hello,  World!") == "hello world")
        #expect(TranscriptText.normalized("I don’t know.") == TranscriptText.normalized("i don't know"))
        #expect(TranscriptText.normalized("twenty-one") == "twenty one")
        #expect(TranscriptText.normalized("It is 1,000.50 at 5:30.") == "it is 1000.50 at 5:30")
        #expect(TranscriptText.normalized("你 好，世界。") == "你好世界")
        #expect(TranscriptText.normalized("…!?") == "")
    }

    @Test func whatMeansSomethingElseCounts() {
        #expect(TranscriptText.normalized("5") != TranscriptText.normalized("5%"))
        #expect(TranscriptText.normalized("5.5") != TranscriptText.normalized("55"))
        #expect(TranscriptText.normalized("yes") != TranscriptText.normalized("yes please"))
    }

    @Test func fillersGoOnRequest() {
        #expect(TranscriptText.normalized("Um, I uh think", droppingFillers: true) == "i think")
        #expect(TranscriptText.normalized("Um, I") == "um i")
        #expect(TranscriptText.wordCount("uh um no", droppingFillers: true) == 1)
    }

    @Test func wordsAreCountedWithCJKByCharacter() {
        #expect(TranscriptText.wordCount("ok, stop!") == 2)
        #expect(TranscriptText.wordCount("don't you") == 2)
        #expect(TranscriptText.wordCount("你好世界") == 4)
        #expect(TranscriptText.wordCount("用 Swift 写") == 3)
        #expect(TranscriptText.wordCount("이것은 중요합니다") == 2)
        #expect(TranscriptText.wordCount("สวัสดีครับ") >= 2)
        #expect(TranscriptText.wordCount(" ... ") == 0)
    }

    @Test(arguments: [
        "My name is", "My name is.", "I would like", "I'd like to", "Well, I want it because", "and", "Um",
        "So I was thinking, um.", "We need three and",
        "Let me see,", "I think...", "I think…", "It is—", "My number is 555", "My number is five five five.", "555 12",
        "five five five one two",
        "call me at", "I'm looking for the", "My phone number is 0151 234,", "my email is john dot",
        "I want to talk to", "We are about",
    ]) func unfinishedEnglishIsIncomplete(_ text: String) {
        #expect(TranscriptText.looksComplete(text, language: "en-US") == .incomplete)
    }

    @Test(arguments: [
        "My name is Smith.", "What is it for?", "That is what I am looking for.", "Yes", "no thanks", "That's all",
        "Thank you!",
        "My number is 555 123 4567.", "five five five one two three four five six seven", "We are 25 people.",
        "The budget is 50,000.", "Is it because?",
        "The number of employees is 25.",
    ]) func finishedEnglishIsComplete(_ text: String) {
        #expect(TranscriptText.looksComplete(text, language: "en") == .complete)
    }

    @Test(arguments: ["", "...", "we have a new office", "fifty thousand dollars", "about 50"]) func someTextsDoNotTell(
        _ text: String
    ) {
        #expect(TranscriptText.looksComplete(text, language: "en") == .unknown)
    }

    @Test func otherLanguagesGoByPunctuationAlone() {
        #expect(TranscriptText.looksComplete("Ich heiße Anna.", language: "de") == .complete)
        #expect(TranscriptText.looksComplete("Ich heiße Anna und", language: "de") == .unknown)
        #expect(TranscriptText.looksComplete("Ich heiße Anna,", language: "de") == .incomplete)
        #expect(TranscriptText.looksComplete("你好。", language: "zh") == .complete)
        #expect(TranscriptText.looksComplete("كيف حالك؟", language: "ar") == .complete)
        #expect(TranscriptText.looksComplete("my name is", language: nil) == .unknown)
    }
}
