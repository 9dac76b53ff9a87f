/// What a full stop behind a word means. Word lists, because no rule tells "Dr." from "bar.".
enum Abbreviation {
    /// Any word: the stop ends the sentence.
    case ordinary
    /// The word always has something behind it ("Dr.", "e.g.").
    case never
    /// Ends the sentence if the next word is one that sentences begin with ("Inc.", "U.S.", an initial).
    case beforeStarter
    /// Ends the sentence if the next word begins with a capital ("p.m.", "etc.").
    case beforeCapital
    /// Does not end it if a number follows ("No. 5").
    case beforeNoDigit
    /// A number or letter in front of an item ("1.").
    case listMarker

    /// The word in front of the stop at `stop`.
    init(before stop: Int, in text: [Unicode.Scalar]) {
        var start = stop
        while start > 0, text[start - 1].belongsToToken, stop - start < 24 { start -= 1 }
        let token = text[start..<stop]
        guard let first = token.first else {
            self = .ordinary
            return
        }
        var word = ""
        word.unicodeScalars.append(contentsOf: token)
        let lowered = word.lowercased()
        let capital = first.properties.isUppercase
        if Self.always.contains(lowered) || (capital && Self.titles.contains(lowered)) {
            self = .never
        } else if Self.capitalFollows.contains(lowered) {
            self = .beforeCapital
        } else if Self.numbered.contains(lowered) {
            self = .beforeNoDigit
        } else if Self.starterFollows.contains(lowered) || (capital && Self.dates.contains(lowered))
            || Self.isAcronym(token)
        {
            self = .beforeStarter
        } else if token.allSatisfy(\.isASCIIDigit) {
            self = token.count <= 3 && Self.startsLine(start, in: text) ? .listMarker : .ordinary
        } else {
            self = Self.hasNoVowel(token) ? .beforeCapital : .ordinary
        }
    }

    /// A single letter, or single letters with stops between ("U.S.A").
    private static func isAcronym(_ token: ArraySlice<Unicode.Scalar>) -> Bool {
        for (offset, scalar) in token.enumerated() {
            if offset % 2 == 1 ? scalar != "." : !(scalar.properties.isUppercase || scalar.properties.isLowercase) {
                return false
            }
        }
        return token.count % 2 == 1
    }

    private static func startsLine(_ index: Int, in text: [Unicode.Scalar]) -> Bool {
        var index = index
        while index > 0, text[index - 1] == " " || text[index - 1] == "\t" { index -= 1 }
        return index == 0 || text[index - 1].isLineBreak
    }

    /// Two to four Latin letters without a vowel and not all capitals ("blvd"): an abbreviation that no list has.
    private static func hasNoVowel(_ token: ArraySlice<Unicode.Scalar>) -> Bool {
        guard (2...4).contains(token.count) else { return false }
        let letters = token.allSatisfy { (0x41...0x5A).contains($0.value) || (0x61...0x7A).contains($0.value) }
        let small = token.contains { (0x61...0x7A).contains($0.value) }
        return letters && small && !token.contains { "aeiouyAEIOUY".unicodeScalars.contains($0) }
    }

    private static let always: Set<String> = [
        "mr", "mrs", "ms", "mx", "dr", "prof", "messrs", "mme", "mlle", "e.g", "i.e", "eg", "ie", "vs", "cf", "viz",
        "resp", "incl", "excl",
        "approx", "mt", "z.b", "d.h", "u.a", "s.o", "bzw", "ca", "bspw", "evtl", "ggf", "inkl", "zzgl", "vgl", "srta",
        "sra", "p.ej", "c.-à-d",
    ]
    /// Only with a capital: "my sales rep." ends a sentence.
    private static let titles: Set<String> = [
        "capt", "cpt", "lt", "col", "sgt", "cmdr", "maj", "gen", "gov", "sen", "rep", "rev", "fr", "hon", "pres",
        "supt", "asst", "adm", "hr",
        "frl", "ft",
    ]
    private static let capitalFollows: Set<String> = [
        "a.m", "p.m", "am", "pm", "etc", "al", "min", "mins", "hr", "hrs", "sec", "secs", "lb", "lbs", "oz", "ft", "mi",
        "qt", "pt", "tbsp",
        "tsp", "usw", "est", "b.c", "a.d", "b.c.e", "c.e", "bzgl", "ext", "temp", "max",
    ]
    private static let numbered: Set<String> = [
        "no", "nos", "nr", "p", "pp", "fig", "figs", "vol", "ch", "art", "eq", "op", "chap", "pg",
    ]
    private static let starterFollows: Set<String> = [
        "inc", "ltd", "co", "corp", "bros", "llc", "plc", "assn", "jr", "sr", "esq", "st", "ave", "blvd", "rd", "hwy",
        "apt", "ste", "dept",
        "div", "univ", "ph.d", "m.sc", "b.sc", "ll.m", "ll.b", "ed.d", "d.phil", "str",
    ]
    /// Only with a capital.
    private static let dates: Set<String> = [
        "jan", "feb", "mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "mon", "tue", "tues",
        "wed", "thu", "thur", "thurs",
        "fri",
    ]

    /// Capitalised words behind a time that belong to it: "5 p.m. Eastern".
    static let timeFollowers: Set<String> = [
        "eastern", "central", "mountain", "pacific", "et", "ct", "mt", "pt", "est", "edt", "cst", "cdt", "mst", "mdt",
        "pst", "pdt", "gmt",
        "utc", "bst", "cet", "cest", "ist", "jst", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday",
        "sunday",
    ]

    /// Words that sentences begin with and names do not.
    static let starters: Set<String> = [
        "a", "about", "actually", "after", "all", "also", "although", "an", "and", "another", "any", "anyway", "are",
        "as", "at", "because",
        "before", "both", "but", "by", "can", "could", "did", "do", "does", "don't", "during", "each", "either",
        "every", "everyone",
        "finally", "first", "for", "from", "good", "great", "had", "has", "have", "he", "he's", "hello", "her", "here",
        "here's", "hi", "his",
        "how", "however", "i", "i'd", "i'll", "i'm", "i've", "if", "in", "is", "isn't", "it", "it's", "its", "just",
        "last", "let", "let's",
        "many", "maybe", "more", "most", "mr", "mrs", "ms", "dr", "my", "next", "no", "not", "nothing", "now", "of",
        "okay", "ok", "on",
        "once", "one", "only", "or", "our", "over", "perhaps", "please", "right", "shall", "she", "she's", "should",
        "since", "so", "some",
        "someone", "something", "soon", "still", "such", "sure", "tell", "thank", "thanks", "that", "that's", "the",
        "their", "then", "there",
        "there's", "therefore", "these", "they", "they're", "they've", "this", "those", "though", "to", "today",
        "tomorrow", "under",
        "unfortunately", "until", "was", "we", "we'd", "we'll", "we're", "we've", "welcome", "well", "were", "what",
        "what's", "when",
        "where", "whether", "which", "while", "who", "who's", "whose", "why", "with", "would", "yes", "yesterday",
        "yet", "you", "you'd",
        "you'll", "you're", "you've", "your",
    ]
}

extension Unicode.Scalar {
    /// A part of a word that a stop may stand behind: letters, digits, inner stops and hyphens; not a script without spaces.
    fileprivate var belongsToToken: Bool {
        self == "." || self == "-" || (isWordScalar && !isUnspacedCJK)
    }
}
