package import TestAudio

/// What callers of an endless conversation may say, what is answered, and how the agent's words sound. Every word of
/// the agent belongs to one place of one text, so that a word that is heard says what of which answer it is.
package struct ConversationBook: Sendable {
    /// Something a caller may say, and the number of the agent's text that answers it.
    package struct Line: Sendable {
        package var text: String
        /// Nil for keys to be pressed.
        package var speech: CallerSpeech?
        package var answer: Int

        package init(_ text: String, speech: CallerSpeech?, answer: Int) {
            self.text = text
            self.speech = speech
            self.answer = answer
        }
    }

    /// A word of the agent.
    package struct Word: Sendable, Hashable {
        package var text: String
        /// The number of the agent's text, and the place in it.
        package var answer: Int
        package var place: Int
    }

    package let lines: [Line]
    /// All words of the agent, in the order of its texts.
    package let words: [Word]
    /// How many words each text has.
    package let lengths: [Int]
    package let fingerprints: AudioFingerprints
    private let numbers: [String: Int]

    /// - Parameter texts: what the agent may say; the first one is its greeting.
    /// - Parameter voice: the samples of a word.
    /// Throws where a word is in two places or sounds like another one.
    package init(lines: [Line], texts: [String], voice: (String) -> [Int16]) throws {
        self.lines = lines
        var words: [Word] = []
        var numbers: [String: Int] = [:]
        for (answer, text) in texts.enumerated() {
            for (place, word) in Self.split(text).enumerated() {
                guard numbers.updateValue(words.count, forKey: word) == nil else { throw Ambiguous(word: word) }
                words.append(Word(text: word, answer: answer, place: place))
            }
        }
        self.words = words
        self.numbers = numbers
        lengths = texts.map { Self.split($0).count }
        fingerprints = try AudioFingerprints(words.map { voice($0.text) })
    }

    /// The number of a word; nil for one that the agent should not know.
    package func number(of word: String) -> Int? { numbers[word] }

    /// The words of a text as they are spoken.
    package static func split(_ text: String) -> [String] {
        text.split(whereSeparator: \.isWhitespace).map(String.init)
    }

    /// A word that is in two places of the agent's texts.
    package struct Ambiguous: Error, CustomStringConvertible {
        package let word: String
        package var description: String { "the agent says '\(word)' in two places, so hearing it says nothing" }
    }
}
