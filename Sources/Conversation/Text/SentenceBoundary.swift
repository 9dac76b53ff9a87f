/// Decides whether a sentence ends at a place of a text of which the rest may still be to come. A pure function of that text.
struct SentenceBoundary {
    enum Verdict {
        /// No sentence ends here; go on at the index.
        case none(next: Int)
        /// The sentence takes all scalars before `end`.
        case boundary(end: Int)
        /// What comes next decides.
        case undecided
    }

    let text: [Unicode.Scalar]
    /// True when nothing follows: what is undecided is then decided by what is there.
    let atEnd: Bool
    /// True when nothing came for a while: a stop at the end of the text counts, unless it may be inside a number or behind an abbreviation.
    let afterStall: Bool

    /// Looks at the scalar at `index`: a stop, a line break, or neither.
    func examine(_ index: Int) -> Verdict {
        let scalar = text[index]
        if scalar.isLineBreak { return lineBreak(at: index) }
        guard scalar.isStop else { return .none(next: index + 1) }
        return stop(StopRun(text, from: index))
    }

    // MARK: Stops

    private func stop(_ run: StopRun) -> Verdict {
        guard run.end < text.count else { return atTextEnd(run) }
        let next = text[run.end]
        if !next.properties.isWhitespace { return glued(run, next) }
        if run.isHard || (run.isEmphatic && !run.isClosed && !opensGuillemet(before: run.start)) {
            return .boundary(end: run.end)
        }
        let ahead = lookAhead(from: run.end)
        if ahead.isParagraph { return .boundary(end: run.end) }
        guard let word = ahead.index else { return closedOrOrdinary(run) }
        return spaced(run, wordAt: word)
    }

    /// The text ends with the stop, or only with white space behind it.
    private func atTextEnd(_ run: StopRun) -> Verdict {
        if atEnd { return .boundary(end: run.end) }
        guard afterStall else { return .undecided }
        if run.isHard || run.isEmphatic || run.isEllipsis || run.isClosed { return .boundary(end: run.end) }
        let spaceFollows = run.end < text.count
        switch Abbreviation(before: run.start, in: text) {
        case .ordinary: return spaceFollows || !endsWithDigit(run) ? .boundary(end: run.end) : .undecided
        case .beforeCapital, .beforeNoDigit, .beforeStarter: return spaceFollows ? .boundary(end: run.end) : .undecided
        case .never, .listMarker: return .undecided
        }
    }

    private func endsWithDigit(_ run: StopRun) -> Bool {
        run.start > 0 && text[run.start - 1].isASCIIDigit
    }

    /// Something other than white space follows the stop: a sentence ends only in scripts that write no space there.
    private func glued(_ run: StopRun, _ next: Unicode.Scalar) -> Verdict {
        let goesOn = Verdict.none(next: run.end)
        if run.isHard {
            // A quotation that is a part of a Japanese sentence is followed by a particle.
            let quoted = run.isClosed && (next == "と" || next == "っ")
            return quoted || next.continuesClause ? goesOn : .boundary(end: run.end)
        }
        if run.isEllipsis && !run.isEmphatic { return goesOn }
        let unspaced = next.isUnspacedCJK || next == "「" || next == "『" || next == "《"
        if unspaced, run.isEmphatic || (run.start > 0 && text[run.start - 1].isUnspacedCJK) {
            return .boundary(end: run.end)
        }
        return goesOn
    }

    /// White space follows, and nothing is known of the next word yet. Only an ordinary word needs no more than that.
    private func closedOrOrdinary(_ run: StopRun) -> Verdict {
        if !run.isClosed, !run.isEllipsis, !run.isEmphatic, case .ordinary = Abbreviation(before: run.start, in: text) {
            return .boundary(end: run.end)
        }
        return atEnd || afterStall ? atTextEnd(run) : .undecided
    }

    /// White space follows and then a word of which at least the first scalar is here.
    private func spaced(_ run: StopRun, wordAt index: Int) -> Verdict {
        if text[index] == "»" || text[index] == "›", !run.isClosed, opensGuillemet(before: run.start) {
            return stop(run.closed(before: index + 1))
        }
        let goesOn = Verdict.none(next: run.end)
        let ends = Verdict.boundary(end: run.end)
        let meaning = Abbreviation(before: run.start, in: text)
        if run.isClosed || run.isEllipsis || run.isEmphatic {
            guard let first = firstOfWord(from: index) else { return atEnd ? ends : .undecided }
            if run.isEllipsis, !run.isEmphatic { return text[first].properties.isUppercase ? ends : goesOn }
            if meaning == .never, !run.isEmphatic { return goesOn }
            return text[first].properties.isLowercase || text[first].continuesClause ? goesOn : ends
        }
        switch meaning {
        case .ordinary: return ends
        case .never, .listMarker: return goesOn
        case .beforeNoDigit: return text[index].isASCIIDigit || text[index] == "#" ? goesOn : ends
        case .beforeCapital, .beforeStarter:
            guard let first = firstOfWord(from: index) else { return atEnd ? ends : .undecided }
            guard text[first].properties.isUppercase else { return goesOn }
            guard let word = word(from: first) else { return .undecided }
            let begins =
                meaning == .beforeStarter
                ? Abbreviation.starters.contains(word) : !Abbreviation.timeFollowers.contains(word)
            return begins ? ends : goesOn
        }
    }

    // MARK: Line breaks

    /// An empty line ends everything. A single line break ends a sentence too (a heading, an item of a list, a line of an address), except
    /// where it looks like wrapped prose: a line of 60 and more, and the next goes on in lower case.
    private func lineBreak(at index: Int) -> Verdict {
        let ahead = lookAhead(from: index)
        if ahead.isParagraph { return .boundary(end: index) }
        guard let next = ahead.index else { return atEnd || afterStall ? .boundary(end: index) : .undecided }
        let start = text[..<index].lastIndex { $0.isLineBreak } ?? 0
        let wrapped = index - start >= 60 && text[next].properties.isLowercase
        return wrapped ? .none(next: index + 1) : .boundary(end: index)
    }

    // MARK: What follows

    private struct LookAhead {
        /// The first scalar that is not white space; nil if it has not come.
        var index: Int?
        var isParagraph: Bool
    }

    /// Skips the white space at `start`.
    private func lookAhead(from start: Int) -> LookAhead {
        var breaks = 0
        var index = start
        while index < text.count, text[index].properties.isWhitespace {
            let isPair = text[index] == "\n" && index > 0 && text[index - 1] == "\r"
            if text[index].isLineBreak, !isPair { breaks += 1 }
            index += 1
        }
        return LookAhead(index: index < text.count ? index : nil, isParagraph: breaks > 1)
    }

    /// The first scalar of the word at `index`, behind quotes and brackets; nil if it has not come.
    private func firstOfWord(from index: Int) -> Int? {
        text[index...].firstIndex { !$0.opensWord }
    }

    /// The letters of the word at `index` in lower case; nil if its end has not come. A letter with a stop behind it is an initial and gives "".
    private func word(from index: Int) -> String? {
        var word = ""
        var end = index
        while end < text.count, text[end].isWordScalar || text[end] == "'" || text[end] == "’", end - index < 16 {
            word.unicodeScalars.append(text[end])
            end += 1
        }
        guard end < text.count || atEnd else { return nil }
        if end - index == 1, end < text.count, text[end] == "." { return "" }
        return word.lowercased()
    }

    /// True while a « or ‹ of the sentence is not closed. French puts a space between a stop and its ».
    private func opensGuillemet(before end: Int) -> Bool {
        var depth = 0
        for scalar in text[..<end] {
            if scalar == "«" || scalar == "‹" { depth += 1 }
            if scalar == "»" || scalar == "›" { depth -= 1 }
        }
        return depth > 0
    }
}

/// Stops that follow each other without a space, with the quotes and brackets behind them: `?!`, `...`, `."`, `.)`.
struct StopRun {
    let start: Int
    private(set) var end: Int
    /// A stop of a script that uses it for nothing else.
    private(set) var isHard = false
    /// `!` or `?`.
    private(set) var isEmphatic = false
    private(set) var isEllipsis = false
    /// A quote or bracket was closed.
    private(set) var isClosed = false

    init(_ text: [Unicode.Scalar], from start: Int) {
        self.start = start
        end = start
        while end < text.count {
            switch text[end] {
            case ".": if end > start, text[end - 1] == "." { isEllipsis = true }
            case "…": isEllipsis = true
            case let scalar where scalar.isHardStop: isHard = true
            case let scalar where scalar.isStop: isEmphatic = true
            case let scalar where scalar.closesQuote: isClosed = true
            case let scalar where scalar.isEmojiPart: break
            default: return
            }
            end += 1
        }
    }

    /// The same stop with a quote behind it that was closed after a space.
    func closed(before end: Int) -> StopRun {
        var run = self
        run.end = end
        run.isClosed = true
        return run
    }
}

extension Unicode.Scalar {
    var isLineBreak: Bool {
        switch self {
        case "\n", "\r", "\u{85}", "\u{2028}", "\u{2029}": true
        default: false
        }
    }

    /// Anything that may end a sentence.
    fileprivate var isStop: Bool {
        switch self {
        case ".", "!", "?", "…", "‽", "⁉", "‼", "⁇", "⁈", "\u{37E}": true
        default: isHardStop
        }
    }

    /// Full-width and half-width CJK stops, Arabic and Urdu ones, danda, Armenian, Ethiopic, Burmese, Khmer, Tibetan.
    fileprivate var isHardStop: Bool {
        switch self {
        case "。", "．", "！", "？", "｡", "؟", "۔", "।", "॥", "։", "።", "፧", "။", "។", "៕", "།": true
        default: false
        }
    }

    fileprivate var closesQuote: Bool {
        switch self {
        case "\"", "'", "”", "’", "»", "›", ")", "]", "}", "」", "』", "）", "】", "〉", "》", "］", "*", "_", "~", "`": true
        default: false
        }
    }

    fileprivate var opensWord: Bool {
        switch self {
        case "\"", "'", "“", "‘", "„", "«", "‹", "»", "›", "(", "[", "{", "「", "『", "（", "*", "_", "~", "`", "¿", "¡",
            "#":
            true
        default: false
        }
    }

    /// A comma or the like: what stands before it was not the end.
    fileprivate var continuesClause: Bool {
        switch self {
        case ",", ";", ":", "、", "，", "；", "：", "،": true
        default: false
        }
    }

    fileprivate var isEmojiPart: Bool {
        properties.isEmojiPresentation || value == 0x200D || value == 0xFE0F || properties.isEmojiModifier
    }
}
