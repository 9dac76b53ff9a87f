/// Reads the value of a slot out of what a caller said.
enum AnswerReader {
    struct Answer: Equatable {
        var value: String
        /// A company that was named beside a person.
        var company: String?
    }

    /// Nil where the words hold no value of that kind.
    static func read(_ text: String, as kind: LeadFlow.Kind) -> Answer? {
        switch kind {
        case .person: person(text)
        case .company: company(text).map { Answer(value: $0) }
        case .text: freeText(text).map { Answer(value: $0) }
        case .money: Numbers.money(in: text).map { Answer(value: $0) }
        case .time: time(text).map { Answer(value: $0) }
        case .yesno: yesNo(text).map { Answer(value: $0) }
        }
    }

    private static func person(_ text: String) -> Answer? {
        var words = strip(Phrases.tokens(text), [
            "hi", "hello", "hey", "yes", "yeah", "sure", "well", "um", "uh", "so", "my name is", "the name is", "name is", "i am", "i'm",
            "this is", "it is", "it's", "call me", "you can call me", "my name's",
        ])
        var company: String?
        if let from = words.firstIndex(where: { ["from", "at", "with"].contains($0) }), from > 0 {
            company = title(words[(from + 1)...])
            words = Array(words[..<from])
        }
        while let last = words.last, ["please", "thanks", "here", "speaking"].contains(last) { words.removeLast() }
        guard (1...4).contains(words.count), !words.contains(where: { notNames.contains($0) }) else { return nil }
        return Answer(value: title(words[...]), company: company?.isEmpty == true ? nil : company)
    }

    private static func company(_ text: String) -> String? {
        let words = strip(Phrases.tokens(text), [
            "well", "um", "uh", "so", "i work for", "i work at", "i am with", "i'm with", "i am from", "i'm from", "we are called",
            "we are", "we're", "it is called", "it's called", "it is", "it's", "the company is called", "the company is",
            "my company is", "our company is", "called", "from",
        ])
        guard (1...6).contains(words.count), !words.allSatisfy({ notNames.contains($0) }) else { return nil }
        return title(words[...])
    }

    private static func freeText(_ text: String) -> String? {
        let words = strip(Phrases.tokens(text), ["well", "um", "uh", "so", "yes", "okay"])
        guard words.count >= 2 || (words.first.map { $0.count > 3 } ?? false) else { return nil }
        return words.joined(separator: " ")
    }

    private static func time(_ text: String) -> String? {
        let words = strip(Phrases.tokens(text), [
            "well", "um", "uh", "so", "we need it", "i need it", "we want to start", "we would like to start", "we want it", "ideally",
            "it should be ready", "we start",
        ])
        guard words.contains(where: { timeWords.contains($0) }) else { return nil }
        return words.joined(separator: " ")
    }

    private static func yesNo(_ text: String) -> String? {
        let words = Set(Phrases.tokens(text))
        if !words.isDisjoint(with: ["no", "nope", "not"]) { return "no" }
        if !words.isDisjoint(with: ["yes", "yeah", "yep", "sure", "correct", "right", "course"]) { return "yes" }
        return nil
    }

    /// Takes opening phrases off until none is left.
    private static func strip(_ words: [String], _ openers: [String]) -> [String] {
        var words = words
        let openers = openers.map { $0.split(separator: " ").map(String.init) }.sorted { $0.count > $1.count }
        while let opener = openers.first(where: { words.starts(with: $0) }) { words.removeFirst(opener.count) }
        return words
    }

    private static func title(_ words: ArraySlice<String>) -> String {
        words.map { $0 == "and" ? $0 : $0.prefix(1).uppercased() + $0.dropFirst() }.joined(separator: " ")
    }

    private static let notNames: Set<String> = [
        "yes", "no", "what", "why", "how", "who", "sorry", "okay", "the", "is", "are", "you", "can", "i", "we", "it", "need", "want", "help",
        "have", "don't", "just", "not", "that", "would",
    ]
    private static let timeWords: Set<String> = [
        "now", "immediately", "asap", "possible", "today", "tomorrow", "soon", "week", "weeks", "month", "months", "quarter", "year",
        "years", "day", "days", "spring", "summer", "autumn", "fall", "winter", "january", "february", "march", "april", "may", "june",
        "july", "august", "september", "october", "november", "december",
    ]
}
