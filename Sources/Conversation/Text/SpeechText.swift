/// Makes the text of a streaming reply fit for a synthesiser: markdown and emoji go, words are respelled, white space is normalised.
///
/// Scalars pass one by one through four stages, so the result is the same for every chunking. Text is held back only while a stage cannot tell
/// yet: a mark that may open emphasis, a possible beginning of a key, white space that may be the last.
package struct SpeechText: Sendable {
    package struct Options: Sendable, Hashable {
        package var stripsMarkdown: Bool
        package var stripsEmoji: Bool
        /// One space between words, at most one empty line, nothing in front and behind.
        package var normalizesWhitespace: Bool
        /// How words are to be said: whole words (or phrases) to their respelling. See ``WordReplacer``.
        package var replacements: [String: String]
        package var replacementsMatchCase: Bool

        package init(
            stripsMarkdown: Bool = true, stripsEmoji: Bool = true, normalizesWhitespace: Bool = true,
            replacements: [String: String] = [:],
            replacementsMatchCase: Bool = false
        ) {
            self.stripsMarkdown = stripsMarkdown
            self.stripsEmoji = stripsEmoji
            self.normalizesWhitespace = normalizesWhitespace
            self.replacements = replacements
            self.replacementsMatchCase = replacementsMatchCase
        }
    }

    private var markdown: MarkdownStripper?
    private var emoji: EmojiStripper?
    private var whitespace: WhitespaceNormalizer?
    private var replacer: WordReplacer?

    package init(options: Options = Options()) {
        markdown = options.stripsMarkdown ? MarkdownStripper() : nil
        emoji = options.stripsEmoji ? EmojiStripper() : nil
        whitespace = options.normalizesWhitespace ? WhitespaceNormalizer() : nil
        replacer =
            options.replacements.isEmpty
            ? nil : WordReplacer(options.replacements, matchesCase: options.replacementsMatchCase)
    }

    /// Takes the next piece and answers what is now certain; "" where nothing is.
    package mutating func append(_ text: String) -> String {
        pass(Array(text.unicodeScalars), isLast: false)
    }

    /// The reply has ended: answers what was held back and is ready for the next reply.
    package mutating func finish() -> String {
        pass([], isLast: true)
    }

    /// A whole text at once; nil where nothing in it can be spoken.
    package static func prepare(_ text: String, options: Options = Options()) -> String? {
        var stream = SpeechText(options: options)
        let prepared = stream.append(text) + stream.finish()
        return isSpeakable(prepared) ? prepared : nil
    }

    /// True for a text with a letter, a digit, or a sign that has a name ("%", "€", "+"); false for punctuation and white space alone.
    package static func isSpeakable(_ text: String) -> Bool {
        text.unicodeScalars.contains { scalar in
            if scalar.isWordScalar || scalar == "%" || scalar == "&" || scalar == "@" { return true }
            let category = scalar.properties.generalCategory
            return category == .currencySymbol || category == .mathSymbol
        }
    }

    private mutating func pass(_ scalars: [Unicode.Scalar], isLast: Bool) -> String {
        var scalars = scalars
        markdown?.pass(&scalars, isLast: isLast)
        emoji?.pass(&scalars, isLast: isLast)
        whitespace?.pass(&scalars, isLast: isLast)
        replacer?.pass(&scalars, isLast: isLast)
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }
}

/// One stage of ``SpeechText``. `push` decides by what it has seen so far alone, which makes the result independent of chunks.
protocol TextStage {
    mutating func push(_ scalar: Unicode.Scalar, into output: inout [Unicode.Scalar])
    /// Gives out what was held back, and resets.
    mutating func finish(into output: inout [Unicode.Scalar])
}

extension TextStage {
    mutating func pass(_ scalars: inout [Unicode.Scalar], isLast: Bool) {
        var output: [Unicode.Scalar] = []
        output.reserveCapacity(scalars.count)
        for scalar in scalars { push(scalar, into: &output) }
        if isLast { finish(into: &output) }
        scalars = output
    }
}
