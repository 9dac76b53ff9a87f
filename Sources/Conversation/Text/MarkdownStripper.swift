/// Takes the marks of markdown out of a stream and keeps its words.
///
/// Follows CommonMark where that is safe for text that is no markdown: "2 * 3", "x**2", "*.py" and "__name__" stay as they are. Links keep their
/// text and images their description, headings, bullets, quotes, rules and fences lose their marks, numbers of lists stay, code stays.
/// A mark is dropped only once its partner has come; until then at most ``maximumHold`` scalars are held back, and a line break ends the wait.
struct MarkdownStripper: TextStage, Sendable {
    /// Scalars held back for the partner of a mark; with more the mark is taken as text.
    static let maximumHold = 400

    private enum Place: Sendable {
        /// At the start of a line, in front of or between its marks.
        case lineStart
        case line
        /// Between fences, at the start of a line; the fence's mark and length.
        case codeLineStart(Unicode.Scalar, Int)
        case codeLine(Unicode.Scalar, Int)
    }

    private var place = Place.lineStart
    /// Input not yet decided on.
    private var held: [Unicode.Scalar] = []
    /// The scalar of the input in front of `held`.
    private var previous: Unicode.Scalar?

    mutating func push(_ scalar: Unicode.Scalar, into output: inout [Unicode.Scalar]) {
        held.append(scalar)
        drain(into: &output, atEnd: false)
    }

    mutating func finish(into output: inout [Unicode.Scalar]) {
        drain(into: &output, atEnd: true)
        self = MarkdownStripper()
    }

    private mutating func drain(into output: inout [Unicode.Scalar], atEnd: Bool) {
        while !held.isEmpty {
            let mustDecide = atEnd || held.count > Self.maximumHold
            switch place {
            case .lineStart:
                switch MarkdownLine(held, atEnd: mustDecide).mark {
                case .undecided: return
                case .text: place = .line
                case .drop(let count): advance(by: count)
                case .fence(let mark, let length, let count):
                    advance(by: count)
                    place = .codeLineStart(mark, length)
                }
            case .line:
                if !drainInline(into: &output, atEnd: mustDecide) { return }
            case .codeLineStart(let mark, let length):
                switch MarkdownLine(held, atEnd: mustDecide).closing(mark, length) {
                case .undecided: return
                case .text, .fence: place = .codeLine(mark, length)
                case .drop(let count):
                    advance(by: count)
                    place = .lineStart
                }
            case .codeLine(let mark, let length):
                output.append(held[0])
                if held[0].isLineBreak { place = .codeLineStart(mark, length) }
                advance(by: 1)
            }
        }
    }

    /// Decides on the start of `held` within a line; false where more input is needed.
    private mutating func drainInline(into output: inout [Unicode.Scalar], atEnd: Bool) -> Bool {
        switch MarkdownSpan(held, previous: previous, atEnd: atEnd).verdict {
        case .undecided: return false
        case .text(let count):
            output += held[..<count]
            if held[count - 1].isLineBreak { place = .lineStart }
            advance(by: count)
        case .replaced(let count, let text):
            output += text
            advance(by: count)
        case .unwrapped(let count, let content):
            // The content is looked at again: it may have marks of its own.
            held.replaceSubrange(..<count, with: content)
        }
        return true
    }

    private mutating func advance(by count: Int) {
        guard count > 0 else { return }
        previous = held[count - 1]
        held.removeFirst(count)
    }
}
