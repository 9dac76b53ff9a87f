/// Reads what stands at the start of a text within a line of markdown: emphasis, code, a link, an image, an escape, or plain text.
struct MarkdownSpan {
    enum Verdict {
        case undecided
        /// The first `count` scalars are text as they are.
        case text(Int)
        /// The first `count` scalars say `text`, which is final.
        case replaced(Int, [Unicode.Scalar])
        /// The first `count` scalars are marks around `content`, which may hold marks itself.
        case unwrapped(Int, [Unicode.Scalar])
    }

    /// Emphasis longer than this is taken as text with a stray mark: speech must not wait for it.
    private static let maximumEmphasis = 200

    private let text: [Unicode.Scalar]
    private let previous: Unicode.Scalar?
    private let atEnd: Bool

    /// `text` is not empty; `previous` is the scalar in front of it.
    init(_ text: [Unicode.Scalar], previous: Unicode.Scalar?, atEnd: Bool) {
        self.text = text
        self.previous = previous
        self.atEnd = atEnd
    }

    var verdict: Verdict {
        switch text[0] {
        case "*", "_", "~": emphasis
        case "`": code
        case "[": link(at: 0, isImage: false)
        case "!": image
        case "\\": escape
        default: .text(1)
        }
    }

    /// What to do where the text ends before the partner of a mark: wait, or take the mark of `count` scalars as text.
    private func give(up count: Int) -> Verdict {
        atEnd ? .text(count) : .undecided
    }

    // MARK: Code, escapes, links

    private var code: Verdict {
        let length = run(at: 0)
        if length == text.count { return give(up: length) }
        switch closingCode(length, from: length) {
        case .found(let close):
            return .replaced(close + length, Array(text[length..<close]))
        case .missing: return .text(length)
        case .undecided: return give(up: length)
        }
    }

    private enum Search {
        case found(Int), missing, undecided
    }

    /// The run of exactly `length` backticks on the same line.
    private func closingCode(_ length: Int, from start: Int) -> Search {
        var index = start
        while index < text.count {
            if text[index].isLineBreak { return .missing }
            if text[index] == "`" {
                let count = run(at: index)
                if index + count == text.count, !atEnd { return .undecided }
                if count == length { return .found(index) }
                index += count
            } else {
                index += 1
            }
        }
        return .undecided
    }

    private var escape: Verdict {
        guard text.count > 1 else { return give(up: 1) }
        return "\\`*_{}[]()<>#+-.!|~".unicodeScalars.contains(text[1]) ? .replaced(2, [text[1]]) : .text(1)
    }

    private var image: Verdict {
        guard text.count > 1 else { return give(up: 1) }
        return text[1] == "[" ? link(at: 1, isImage: true) : .text(1)
    }

    /// `[text](target)` and `[text][reference]`, with the bracket at `open`.
    private func link(at open: Int, isImage: Bool) -> Verdict {
        guard case .found(let close) = closing(open, "[", "]") else {
            if case .missing = closing(open, "[", "]") { return .text(open + 1) }
            return give(up: open + 1)
        }
        guard close + 1 < text.count else { return give(up: open + 1) }
        let target: Search
        switch text[close + 1] {
        case "(": target = closing(close + 1, "(", ")")
        case "[": target = closing(close + 1, "[", "]")
        default: return .text(open + 1)
        }
        switch target {
        case .found(let end):
            let content = Array(text[(open + 1)..<close])
            return isImage ? .replaced(end + 1, content + [" "]) : .unwrapped(end + 1, content)
        case .missing: return .text(open + 1)
        case .undecided: return give(up: open + 1)
        }
    }

    /// The partner of the bracket at `index`; brackets nest, and do not span lines.
    private func closing(_ index: Int, _ open: Unicode.Scalar, _ close: Unicode.Scalar) -> Search {
        var depth = 0
        for position in index..<text.count {
            switch text[position] {
            case open: depth += 1
            case close:
                depth -= 1
                if depth == 0 { return .found(position) }
            case let scalar where scalar.isLineBreak: return .missing
            default: continue
            }
        }
        return .undecided
    }

    // MARK: Emphasis

    private struct Opener {
        var index: Int
        var length: Int
    }

    /// Finds the partner of the run at the start. Runs in between are matched with each other first, so that nested emphasis goes in one step.
    private var emphasis: Verdict {
        let first = run(at: 0)
        if first == text.count { return give(up: first) }
        guard isLength(first, of: text[0]), opens(0, first), text.count <= Self.maximumEmphasis else {
            return .text(first)
        }
        var openers = [Opener(index: 0, length: first)]
        var marks = Set(0..<first)
        var matched: Set<Int> = []
        var index = first
        while index < text.count {
            if text[index].isLineBreak { return .text(first) }
            if text[index] == "\\" || text[index] == "`" || text[index] == "]" {
                index = skipped(from: index)
                continue
            }
            guard text[index] == "*" || text[index] == "_" || text[index] == "~" else {
                index += 1
                continue
            }
            let length = run(at: index)
            if index + length == text.count, !atEnd { return .undecided }
            if closes(index, length), let end = match(index, length, &openers, &matched) {
                marks = matched
                if end { return unwrap(before: index + length, without: marks) }
            } else if isLength(length, of: text[index]), opens(index, length) {
                openers.append(Opener(index: index, length: length))
            }
            index += length
        }
        return give(up: first)
    }

    /// Matches the closing run with an opener of its kind. Nil where there is none; true when the run at the start has found its partner.
    private func match(_ index: Int, _ length: Int, _ openers: inout [Opener], _ matched: inout Set<Int>) -> Bool? {
        let mark = text[index]
        guard let position = openers.lastIndex(where: { text[$0.index] == mark && $0.length == length }) else {
            return matchParts(index, length, &openers, &matched)
        }
        let opener = openers[position]
        if mark == "_", isIdentifier(opener.index + opener.length..<index) { return nil }
        matched.formUnion(opener.index..<(opener.index + opener.length))
        matched.formUnion(index..<(index + length))
        openers.removeSubrange(position...)
        return openers.isEmpty
    }

    /// `***a** b*` closes in two steps, `**a *b***` two at once.
    private func matchParts(_ index: Int, _ length: Int, _ openers: inout [Opener], _ matched: inout Set<Int>) -> Bool?
    {
        let mark = text[index]
        guard mark != "~", let top = openers.last, text[top.index] == mark else { return nil }
        if top.length == 3, length < 3 {
            matched.formUnion((top.index + 3 - length)..<(top.index + 3))
            matched.formUnion(index..<(index + length))
            openers[openers.count - 1].length = 3 - length
            return false
        }
        guard length == 3, openers.count > 1 else { return nil }
        let below = openers[openers.count - 2]
        guard text[below.index] == mark, below.length + top.length == 3 else { return nil }
        for opener in [below, top] { matched.formUnion(opener.index..<(opener.index + opener.length)) }
        matched.formUnion(index..<(index + 3))
        openers.removeLast(2)
        return openers.isEmpty
    }

    private func unwrap(before end: Int, without marks: Set<Int>) -> Verdict {
        .unwrapped(end, (0..<end).filter { !marks.contains($0) }.map { text[$0] })
    }

    /// Behind an escape, a code span or the target of a link that begins at `index`: marks inside them are no emphasis.
    private func skipped(from index: Int) -> Int {
        switch text[index] {
        case "\\": return index + 2
        case "`":
            let length = run(at: index)
            if case .found(let close) = closingCode(length, from: index + length) { return close + length }
            return index + length
        default:
            guard index + 1 < text.count, text[index + 1] == "(" else { return index + 1 }
            if case .found(let close) = closing(index + 1, "(", ")") { return close + 1 }
            return index + 1
        }
    }

    private func isLength(_ length: Int, of mark: Unicode.Scalar) -> Bool {
        mark == "~" ? length == 2 : length <= 3
    }

    /// A name in code, such as `__a_b__`: no space, and an underscore inside.
    private func isIdentifier(_ content: Range<Int>) -> Bool {
        let content = text[content]
        return content.contains("_") && !content.contains(where: \.properties.isWhitespace)
    }

    private func opens(_ index: Int, _ length: Int) -> Bool {
        let end = index + length
        // Nothing begins with a stop: "*.py" is a pattern.
        guard end < text.count, !text[end].properties.isWhitespace, !".,;:?)]}".unicodeScalars.contains(text[end])
        else { return false }
        return !blocks(index == 0 ? previous : text[index - 1], text[index])
    }

    private func closes(_ index: Int, _ length: Int) -> Bool {
        let end = index + length
        if text[index - 1].properties.isWhitespace { return false }
        return end == text.count || !blocks(text[end], text[index])
    }

    /// True where a mark beside `neighbour` is inside a word. An underscore has no meaning inside words of any script; a star has some between
    /// scripts that write no spaces, or put endings behind a quoted word.
    private func blocks(_ neighbour: Unicode.Scalar?, _ mark: Unicode.Scalar) -> Bool {
        guard let neighbour, neighbour.isWordScalar else { return false }
        if mark == "_" { return true }
        return neighbour.isASCIIAlphanumeric || neighbour.properties.isCased
            || neighbour.properties.generalCategory == .decimalNumber
    }

    private func run(at index: Int) -> Int {
        let end = text[index...].firstIndex { $0 != text[index] } ?? text.count
        return end - index
    }
}
