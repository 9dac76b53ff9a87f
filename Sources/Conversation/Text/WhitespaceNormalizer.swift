/// One space between words, no space around line breaks, at most one empty line, nothing in front and behind. Zero-width spaces and byte order
/// marks go; the joiners that scripts need stay.
struct WhitespaceNormalizer: TextStage, Sendable {
    private var hasText = false
    private var hasSpace = false
    private var breaks = 0
    private var previous: Unicode.Scalar?

    mutating func push(_ scalar: Unicode.Scalar, into output: inout [Unicode.Scalar]) {
        defer { previous = scalar }
        if scalar.value == 0x200B || scalar.value == 0xFEFF || scalar.value == 0x2060 { return }
        guard scalar.properties.isWhitespace else {
            if hasText {
                if breaks > 0 {
                    output += breaks > 1 ? ["\n", "\n"] : ["\n"]
                } else if hasSpace {
                    output.append(" ")
                }
            }
            (hasText, hasSpace, breaks) = (true, false, 0)
            output.append(scalar)
            return
        }
        hasSpace = true
        if scalar.isLineBreak, !(scalar == "\n" && previous == "\r") { breaks += 1 }
    }

    mutating func finish(into output: inout [Unicode.Scalar]) {
        self = WhitespaceNormalizer()
    }
}
