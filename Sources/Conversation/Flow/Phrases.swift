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

    /// A question where the name of a company or a wish is expected, for which any words would do. "Can you build us a website?" is a wish.
    static func asksBack(_ text: String, for kind: LeadFlow.Kind) -> Bool {
        switch kind {
        case .company: isQuestion(text)
        case .text: tokens(text).first { !fillers.contains($0) }.map { interrogatives.contains($0) } ?? false
        case .person, .money, .time, .yesno: false
        }
    }

    private static let fillers: Set<String> = ["wait", "actually", "sorry", "well", "but", "so", "um", "uh", "no", "okay"]
    private static let interrogatives: Set<String> = ["who", "what", "what's", "how", "why", "when", "where"]

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

    /// A bare "no" or "wait" begins many answers ("no, we need a website"): only something short that could be a name corrects.
    static func mayName(_ text: String, _ words: String) -> Bool {
        let all = tokens(words)
        guard let opener = all.first, weakOpeners.contains(opener), all.count == tokens(text).count + 1 else { return true }
        let rest = tokens(text)
        return rest.count <= 4 && rest.first.map { !sentenceStarts.contains($0) } ?? false
    }

    private static let weakOpeners: Set<String> = ["no", "wait", "actually"]
    private static let sentenceStarts: Set<String> = [
        "a", "an", "i", "we", "you", "it", "they", "there", "that", "this", "just", "only", "not", "nothing", "company", "need", "because",
        "i'm", "we're", "it's", "i'd", "we'd", "i've", "we've",
    ]

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
