/// A conversation that is known beforehand. What is answered depends on nothing but what was asked and what was
/// answered of it already, so a reply that is made again is the same, and one that was cut off is gone on with behind
/// its last word.
package struct AnswerBook: Sendable {
    package struct Entry: Sendable, Hashable {
        /// What the caller says, or the keys pressed.
        package var said: String
        /// Spoken before the tool is called.
        package var lead: String
        /// Spoken then.
        package var answer: String
        /// The tool that is called between the two.
        package var tool: String?

        package init(_ said: String, lead: String = "", tool: String? = nil, answer: String) {
            self.said = said
            self.lead = lead
            self.tool = tool
            self.answer = answer
        }

        /// All that is spoken.
        package var text: String { lead.isEmpty ? answer : lead + " " + answer }
    }

    package var entries: [Entry]
    /// The answer to words that are in no entry.
    package var fallback: String

    package init(_ entries: [Entry], fallback: String) {
        self.entries = entries
        self.fallback = fallback
    }

    /// What is answered to a request to go on with what is complete.
    static let complete = "END"

    /// A message in the user's name that only asks to go on.
    static func isCue(_ text: String) -> Bool {
        let words = words(text)
        return words.contains("continue") || zip(words, words.dropFirst()).contains { $0 == "go" && $1 == "on" }
    }

    func answer(_ question: LanguageQuestion) -> (text: String, calls: [LanguageRule.Call]) {
        let entry = entry(for: question.lastUserText)
        let text = entry?.text ?? fallback
        let left = Self.rest(of: text, behind: question.saidSince)
        let rest = left.isEmpty && question.isContinuation ? Self.complete : left
        guard let entry, let tool = entry.tool, !question.answersTool, question.toolNames.contains(tool) else {
            return (rest, [])
        }
        let lead = Self.rest(of: entry.lead, behind: question.saidSince)
        return (lead, [.init(tool, #"{"turn":\#(question.userTurns),"about":"\#(entry.said)"}"#)])
    }

    /// The entry whose words are in the text, the last one where there are several; else that which shares most words
    /// with it.
    package func entry(for text: String) -> Entry? {
        let words = Self.words(text)
        let places = entries.compactMap { entry in
            Self.lastPlace(of: Self.words(entry.said), in: words).map { (entry, $0) }
        }
        if let whole = places.max(by: { $0.1 < $1.1 }) { return whole.0 }
        let shares = entries.map { entry in
            let own = Self.words(entry.said)
            return (entry, Double(own.count { words.contains($0) }) / Double(max(1, own.count)))
        }
        guard let best = shares.max(by: { $0.1 < $1.1 }), best.1 >= 0.3 else { return nil }
        return best.0
    }

    /// What of a text comes behind the words that were said of it; all of it where something else was said.
    static func rest(of text: String, behind said: String) -> String {
        let spoken = words(said)
        let pieces = text.split(separator: " ")
        var count = 0
        while count < pieces.count, count < spoken.count, words(String(pieces[count])) == [spoken[count]] { count += 1 }
        return pieces[count...].joined(separator: " ")
    }

    /// Letters and digits in lower case, without the marks around them.
    package static func words(_ text: String) -> [String] {
        text.lowercased().split(whereSeparator: \.isWhitespace)
            .map { $0.filter { $0.isLetter || $0.isNumber } }.filter { !$0.isEmpty }
    }

    /// Where the words begin for the last time.
    private static func lastPlace(of words: [String], in text: [String]) -> Int? {
        guard !words.isEmpty, words.count <= text.count else { return nil }
        return (0...(text.count - words.count)).last { Array(text[$0..<$0 + words.count]) == words }
    }
}
