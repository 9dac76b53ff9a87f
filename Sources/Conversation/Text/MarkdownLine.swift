/// Reads the mark at the start of a line of markdown, of which the rest may still be to come.
struct MarkdownLine {
    enum Mark {
        case undecided
        /// No mark: a line of text starts.
        case text
        /// A mark of `count` scalars; the line goes on behind it, perhaps with another mark.
        case drop(Int)
        /// A fence with its line of `count` scalars.
        case fence(Unicode.Scalar, length: Int, count: Int)
    }

    private let text: [Unicode.Scalar]
    private let atEnd: Bool
    /// The first scalar that is no space.
    private let start: Int
    private let indent: Int

    init(_ text: [Unicode.Scalar], atEnd: Bool) {
        self.text = text
        self.atEnd = atEnd
        var start = 0
        var indent = 0
        while start < text.count, text[start] == " " || text[start] == "\t" {
            indent += text[start] == "\t" ? 4 : 1
            start += 1
        }
        self.start = start
        self.indent = indent
    }

    /// Four columns of indent make code in markdown, so nothing there is a mark.
    var mark: Mark {
        if indent >= 4 { return .text }
        guard start < text.count else { return atEnd ? .text : .undecided }
        switch text[start] {
        case "#": return heading
        case ">": return quote
        case "-", "*", "+", "•", "_", "=": return bulletOrRule(text[start])
        case "`", "~": return fence(text[start])
        default: return .text
        }
    }

    /// Inside a fence of `length` marks: `.drop` for the line that closes it.
    func closing(_ mark: Unicode.Scalar, _ length: Int) -> Mark {
        let end = runEnd(mark)
        guard end < text.count else { return atEnd ? (end - start >= length ? .drop(end) : .text) : .undecided }
        guard end - start >= length else { return .text }
        guard let next = firstNonSpace(from: end) else { return atEnd ? .drop(text.count) : .undecided }
        return text[next].isLineBreak ? .drop(next + 1) : .text
    }

    private var heading: Mark {
        let end = runEnd("#")
        if end - start > 6 { return .text }
        guard end < text.count else { return atEnd ? .drop(end) : .undecided }
        if text[end].isLineBreak { return .drop(end) }
        return text[end] == " " || text[end] == "\t" ? .drop(end + 1) : .text
    }

    private var quote: Mark {
        guard start + 1 < text.count else { return atEnd ? .drop(start + 1) : .undecided }
        return .drop(text[start + 1] == " " ? start + 2 : start + 1)
    }

    /// `- item`, or a line of three and more of the same (`---`, `* * *`, and `===` under a heading).
    private func bulletOrRule(_ mark: Unicode.Scalar) -> Mark {
        var count = 0
        var index = start
        while index < text.count, text[index] == mark || text[index] == " " {
            if text[index] == mark { count += 1 }
            index += 1
        }
        if index == text.count, !atEnd { return .undecided }
        let isRule = count >= 3 && mark != "+" && mark != "•"
        if index == text.count || text[index].isLineBreak { return isRule ? .drop(index) : bullet(mark) }
        return bullet(mark)
    }

    private func bullet(_ mark: Unicode.Scalar) -> Mark {
        guard mark != "_", mark != "=", start + 1 < text.count, text[start + 1] == " " else { return .text }
        return taskBox(from: start + 2)
    }

    /// `[ ] ` and `[x] ` behind a bullet go with it.
    private func taskBox(from index: Int) -> Mark {
        let box = text[index...].prefix(4)
        if box.first != "[" { return .drop(index) }
        if box.count < 4, !atEnd { return .undecided }
        let isBox =
            box.count == 4 && [" ", "x", "X"].contains(text[index + 1]) && text[index + 2] == "]"
            && text[index + 3] == " "
        return .drop(isBox ? index + 4 : index)
    }

    private func fence(_ mark: Unicode.Scalar) -> Mark {
        let end = runEnd(mark)
        if end == text.count { return atEnd ? (end - start >= 3 ? .drop(end) : .text) : .undecided }
        if end - start < 3 { return .text }
        guard let lineEnd = text[end...].firstIndex(where: { $0.isLineBreak }) else {
            if mark == "`", text[end...].contains("`") { return .text }
            return atEnd ? .fence(mark, length: end - start, count: text.count) : .undecided
        }
        if mark == "`", text[end..<lineEnd].contains("`") { return .text }
        return .fence(mark, length: end - start, count: lineEnd + 1)
    }

    private func runEnd(_ mark: Unicode.Scalar) -> Int {
        text[start...].firstIndex { $0 != mark } ?? text.count
    }

    private func firstNonSpace(from index: Int) -> Int? {
        text[index...].firstIndex { $0 != " " && $0 != "\t" }
    }
}
