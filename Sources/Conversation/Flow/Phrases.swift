/// What callers say around an answer, in English.
enum Phrases {
    /// Lower-case words without punctuation; apostrophes stay.
    static func tokens(_ text: String) -> [String] {
        text.lowercased().split { !($0.isLetter || $0.isNumber || $0 == "'" || $0 == "-") }.map(String.init)
    }

    static func isRefusal(_ text: String) -> Bool {
        let words = " " + tokens(text).joined(separator: " ") + " "
        return refusals.contains { words.contains(" \($0) ") }
    }

    static func isQuestion(_ text: String) -> Bool {
        if text.contains("?") { return true }
        guard let first = tokens(text).first else { return false }
        return questionWords.contains(first)
    }

    /// What follows the words that announce a correction, or nil where nothing does.
    static func correction(in text: String) -> String? {
        let words = tokens(text)
        let joined = words.joined(separator: " ")
        for opener in corrections where joined == opener || joined.hasPrefix(opener + " ") {
            let rest = words.dropFirst(opener.split(separator: " ").count)
            return rest.isEmpty ? nil : rest.joined(separator: " ")
        }
        return joined.contains(" with a ") || joined.contains(" with an ") ? joined : nil
    }

    private static let refusals = [
        "rather not", "none of your business", "don't want to say", "do not want to say", "skip that", "skip this", "next question",
        "won't tell", "prefer not", "no comment", "i don't know", "not sure", "no idea", "can't say", "cannot say",
    ]
    private static let questionWords: Set<String> = [
        "who", "what", "what's", "how", "why", "when", "where", "can", "could", "do", "does", "are", "is", "which", "will", "would",
    ]
    /// Longest first, so that "no sorry" is not read as "no".
    private static let corrections = [
        "no sorry i said", "no i said", "no sorry", "no it's", "no my name is", "no actually", "actually it's", "actually my name is",
        "actually", "sorry i meant", "i meant", "i said", "correction", "wait it's", "wait", "no",
    ]
}
