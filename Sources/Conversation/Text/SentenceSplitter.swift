/// Cuts the text of a streaming reply into sentences as early as is safe.
///
/// Scalars are looked at one by one, so the result depends on the text alone and not on how it was chunked. A sentence is given out as soon as
/// what follows its stop can no longer make it part of a longer one: for an ordinary word that is the white space behind the stop, after an
/// abbreviation it is the next word. Sentences come without the white space around them; white space inside is kept.
///
/// Memory is bounded by ``Options/maximumLength``.
package struct SentenceSplitter: Sendable {
    /// Lengths are in columns: one for a scalar, two for one of Chinese, Japanese or Korean, which says about twice as much.
    package struct Options: Sendable, Hashable {
        /// Shorter sentences are joined with the next. 20 is what LiveKit Agents joins up to.
        package var minimumLength: Int
        /// The minimum for the first sentence of a reply, which decides the time to the first audio.
        package var firstMinimumLength: Int
        /// No piece is longer: a sentence that grows over it is cut after a clause, else between words, else between characters.
        package var maximumLength: Int

        package init(minimumLength: Int = 20, firstMinimumLength: Int = 8, maximumLength: Int = 250) {
            self.maximumLength = max(maximumLength, 2)
            self.minimumLength = min(minimumLength, self.maximumLength)
            self.firstMinimumLength = min(firstMinimumLength, self.maximumLength)
        }
    }

    package let options: Options
    /// The sentence being collected and the look-ahead behind it; never starts with white space.
    private var pending: [Unicode.Scalar] = []
    /// Columns of `pending`.
    private var width = 0
    /// The scalar of `pending` to be looked at next; all before it are inside the sentence.
    private var position = 0
    /// The end of the last sentence in `pending` that is only held back because it is short; 0 for none.
    private var joinedEnd = 0
    private var isFirst = true

    package init(options: Options = Options()) {
        self.options = options
        pending.reserveCapacity(options.maximumLength + 1)
    }

    /// Takes the next piece of the reply and answers the sentences that are now complete.
    package mutating func append(_ text: String) -> [String] {
        var sentences: [String] = []
        for scalar in text.unicodeScalars {
            if pending.isEmpty, scalar.properties.isWhitespace { continue }
            pending.append(scalar)
            width += scalar.columns
            collect(into: &sentences, atEnd: false)
            while width > options.maximumLength { take(overflowCut(), into: &sentences) }
        }
        return sentences
    }

    /// The reply has ended: answers what is left and is ready for the next reply.
    package mutating func finish() -> [String] {
        var sentences: [String] = []
        collect(into: &sentences, atEnd: true)
        take(pending.count, into: &sentences)
        isFirst = true
        return sentences
    }

    /// What may be spoken of an unfinished sentence when the model has stalled: up to a stop that only lacked look-ahead, else up to the last
    /// clause, else, from the first sentence's minimum on, up to the last word known to be whole. Nil when that leaves nothing; the rest stays.
    package mutating func flushAfterStall() -> String? {
        let scanner = SentenceBoundary(text: pending, atEnd: false, afterStall: true)
        var cut = 0
        if position < pending.count, case .boundary(let end) = scanner.examine(position) { cut = end }
        if cut == 0 { cut = endsInClause ? pending.count : max(lastClause(minimum: 1) ?? 0, joinedEnd) }
        if cut == 0, let space = lastSpace(), columns(space) >= options.firstMinimumLength { cut = space }
        guard cut > 0 else { return nil }
        var sentences: [String] = []
        take(cut, into: &sentences)
        return sentences.first
    }

    private mutating func collect(into sentences: inout [String], atEnd: Bool) {
        while position < pending.count {
            switch SentenceBoundary(text: pending, atEnd: atEnd, afterStall: false).examine(position) {
            case .undecided: return
            case .none(let next): position = next
            case .boundary(let end):
                // A line break is not part of the sentence: step over it, it is looked at already.
                position = max(end, position + 1)
                joinedEnd = end
                let minimum = isFirst ? options.firstMinimumLength : options.minimumLength
                if columns(end) >= minimum { take(end, into: &sentences) }
            }
        }
    }

    /// Gives out the first `count` scalars, and drops the white space behind them.
    private mutating func take(_ count: Int, into sentences: inout [String]) {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: pending[..<count])
        while let last = view.last, last.properties.isWhitespace { view.removeLast() }
        if !view.isEmpty {
            sentences.append(String(view))
            isFirst = false
        }
        let rest = pending[count...].firstIndex { !$0.properties.isWhitespace } ?? pending.count
        pending.removeFirst(rest)
        position = max(position - rest, 0)
        joinedEnd = max(joinedEnd - rest, 0)
        width = columns(pending.count)
    }

    private func columns(_ count: Int) -> Int {
        pending[..<count].reduce(0) { $0 + $1.columns }
    }

    // MARK: Cutting a run-on

    /// Where to cut a text that is one scalar over the maximum: always inside, never at 0.
    private func overflowCut() -> Int {
        let minimum = isFirst ? options.firstMinimumLength : options.minimumLength
        return lastClause(minimum: max(minimum, 1)) ?? lastSpace() ?? lastCharacter()
    }

    /// The end of the last clause whose text has at least `minimum` columns.
    private func lastClause(minimum: Int) -> Int? {
        for index in pending.indices.dropLast().reversed() where pending[index].endsClause(before: pending[index + 1]) {
            return columns(index + 1) >= minimum ? index + 1 : nil
        }
        return nil
    }

    /// True where the text ends with a comma or the like that cannot be inside a number.
    private var endsInClause: Bool {
        guard let last = pending.last, last.endsClause(before: " ") else { return false }
        return !pending.dropLast().suffix(1).contains(where: \.isASCIIDigit)
    }

    private func lastSpace() -> Int? {
        pending.lastIndex { $0.properties.isWhitespace }
    }

    /// The last place that is not inside a character made of several scalars.
    private func lastCharacter() -> Int {
        let last = pending.count - 1
        var cut = last
        while cut > 1, pending[cut].joins(after: pending[cut - 1]) { cut -= 1 }
        return cut > 1 || last == 1 ? cut : last
    }
}

extension Unicode.Scalar {
    fileprivate var columns: Int { isUnspacedCJK || isHangul ? 2 : 1 }

    /// True for a comma, semicolon, colon or dash behind which a clause ends. In spaced scripts the space must follow: "1,000" is no clause.
    fileprivate func endsClause(before next: Unicode.Scalar) -> Bool {
        switch self {
        case "、", "，", "；", "：", "—": true
        case ",", ";", ":", "–", "،", "؛": next.properties.isWhitespace
        default: false
        }
    }

    private var isRegionalIndicator: Bool { (0x1F1E6...0x1F1FF).contains(value) }

    fileprivate func joins(after previous: Unicode.Scalar) -> Bool {
        properties.isGraphemeExtend || value == 0x200D || previous.value == 0x200D || properties.isEmojiModifier
            || (isRegionalIndicator && previous.isRegionalIndicator)
    }
}
