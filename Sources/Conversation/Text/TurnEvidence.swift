/// What a transcript says about whether its speaker is done.
package enum TurnEvidence: Sendable, Hashable {
    /// Sounds finished; a short silence may end the turn.
    case complete
    /// More is to come ("my name is"); wait longer.
    case incomplete
    /// The words do not tell.
    case unknown
}

extension TranscriptText {
    /// Judges the end of a transcript. The first rule that applies decides:
    ///
    /// 1. No words: unknown.
    /// 2. It ends with a comma, colon, semicolon, dash or ellipsis: incomplete.
    /// 3. English only, since recognisers also put a full stop behind half a sentence; none of these where it ends with "?":
    ///    a. the last word is a hesitation or cannot end a sentence ("and", "because", "the", "my"): incomplete;
    ///    b. the last words announce something ("my name is", "I would like", "call me at"): incomplete;
    ///    c. digits are being dictated and are not yet a telephone number (3 to 9 but not 7 of them, in two or more pieces, or fewer than 7 in any
    ///    pieces behind "number" or "phone"): incomplete; ten and more: complete.
    /// 4. It ends with a full stop, question or exclamation mark of any script: complete.
    /// 5. English only, without a stop: the last word wants another ("to", "with", "is", "so"): incomplete; the whole is an answer of its own ("yes",
    ///    "no thanks", "that's all"): complete.
    /// 6. Else unknown.
    /// - Parameter language: a BCP 47 tag ("en-GB"); nil and all but English use the rules on punctuation alone.
    package static func looksComplete(_ transcript: String, language: String?) -> TurnEvidence {
        let spoken = words(transcript)
        guard !spoken.isEmpty else { return .unknown }
        let end = Ending(transcript)
        if end == .continuing { return .incomplete }
        let english = language.map { $0.lowercased() == "en" || $0.lowercased().hasPrefix("en-") } ?? false
        if english, end != .question, let evidence = EnglishEnding.evidence(spoken) { return evidence }
        if end != .open { return .complete }
        return english ? EnglishEnding.openEvidence(spoken) : .unknown
    }

    private enum Ending {
        case continuing, question, stop, open

        /// Looks at the last scalars, quotes and brackets aside.
        init(_ text: String) {
            let scalars = text.unicodeScalars
            let closing: Set<Unicode.Scalar> = ["\"", "'", "”", "’", "»", ")", "]", "」", "』", "）"]
            let trimmed = scalars.reversed().drop { $0.properties.isWhitespace || closing.contains($0) }
            guard let last = trimmed.first else {
                self = .open
                return
            }
            switch last {
            case ",", ":", ";", "-", "–", "—", "…", "、", "，", "；", "：", "،", "؛": self = .continuing
            case "?", "？", "؟", "\u{37E}": self = .question
            case ".": self = trimmed.dropFirst().first == "." ? .continuing : .stop
            case "!", "。", "．", "！", "｡", "۔", "।", "॥", "։", "።", "။", "។": self = .stop
            default: self = .open
            }
        }
    }
}

/// Rules 3 and 5 of ``TranscriptText/looksComplete(_:language:)``: word lists of English.
enum EnglishEnding {
    /// What the last words say whether or not a stop stands behind them.
    static func evidence(_ words: [String]) -> TurnEvidence? {
        guard let last = words.last else { return nil }
        if TranscriptText.fillers.contains(last) || dangling.contains(last) { return .incomplete }
        if announcements.contains(where: { words.ends(with: $0) }) { return .incomplete }
        return dictation(words)
    }

    /// What they say where no stop was recognised.
    static func openEvidence(_ words: [String]) -> TurnEvidence {
        if answers.contains(words.joined(separator: " ")) { return .complete }
        guard let last = words.last else { return .unknown }
        return wanting.contains(last) ? .incomplete : .unknown
    }

    /// The digits at the end, spoken or written.
    private static func dictation(_ words: [String]) -> TurnEvidence? {
        var digits = 0
        var pieces = 0
        for word in words.reversed() {
            if word.allSatisfy(\.isNumber) {
                digits += word.count
            } else if digitWords.contains(word) {
                digits += 1
            } else if word != "double" && word != "triple" && word != "plus" {
                break
            }
            pieces += 1
        }
        guard digits > 0 else { return nil }
        let numberOf = zip(words, words.dropFirst()).contains { $0 == "number" && $1 == "of" }
        let announced = (words.contains("number") && !numberOf) || words.contains("phone")
        if pieces > 1, digits >= 10 { return .complete }
        if announced, !words.contains("zip"), digits < 7 { return .incomplete }
        if pieces > 1, digits >= 3, digits != 7, !words.contains("zip") { return .incomplete }
        return nil
    }

    private static let digitWords: Set<String> = [
        "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine",
    ]
    /// No sentence ends with these, whatever a recogniser puts behind them.
    private static let dangling: Set<String> = [
        "and", "or", "but", "because", "although", "unless", "whereas", "if", "than", "the", "a", "an", "my", "your",
        "our", "their",
        "every", "im", "ive", "youre", "theyre", "weve", "dot",
    ]
    /// These end a sentence only where the recogniser heard it end ("That is what it is for.").
    private static let wanting: Set<String> = [
        "to", "for", "with", "of", "at", "from", "in", "on", "by", "about", "into", "between", "under", "until",
        "since", "during", "without",
        "is", "are", "was", "were", "be", "am", "so", "that", "which", "who", "when", "while", "where", "what", "how",
        "as", "like", "his",
        "her", "its", "this", "these", "those", "some", "very", "really", "just", "well", "then", "also", "plus",
        "maybe", "probably", "i",
        "we", "they", "he", "she", "can", "could", "would", "should", "will", "have", "has", "had", "do", "does",
        "want", "need", "lets",
        "actually", "basically", "around", "approximately", "roughly", "mr", "mrs", "ms", "dr",
    ]
    private static let announcements: [[String]] = [
        ["name", "is"], ["my", "names"], ["number", "is"], ["email", "is"], ["mail", "is"], ["address", "is"],
        ["company", "is"], ["budget", "is"],
        ["call", "me", "at"], ["reach", "me", "at"], ["it", "is", "called"], ["would", "like"], ["id", "like"],
        ["would", "like", "to"],
        ["id", "like", "to"], ["i", "want", "to"], ["i", "need", "to"], ["going", "to", "be"], ["let", "me", "see"],
        ["you", "know"],
        ["i", "mean"], ["looking", "for", "a"], ["this", "is", "mr"],
    ]
    private static let answers: Set<String> = [
        "yes", "yeah", "yep", "yup", "yes please", "no", "nope", "no thanks", "no thank you", "ok", "okay", "sure",
        "of course", "right", "correct",
        "exactly", "thanks", "thank you", "thats all", "thats it", "thats right", "thats correct", "thats fine",
        "nothing else", "goodbye", "bye",
        "bye bye", "i dont know", "not really", "not sure", "im not sure", "hello", "hi", "stop", "sounds good",
        "never mind",
    ]
}

extension [String] {
    fileprivate func ends(with other: [String]) -> Bool {
        count >= other.count && suffix(other.count).elementsEqual(other)
    }
}
