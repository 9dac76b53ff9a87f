/// Drops emoji: families joined by ZWJ, flags, skin tones, pictographs and dingbats. A keycap leaves its digit. Signs that are words ("©", "™",
/// "→", "❶") stay.
struct EmojiStripper: TextStage, Sendable {
    /// Spaces that are dropped too if an emoji and then a stop follow: "Hi 😀." is "Hi."
    private var spaces: [Unicode.Scalar] = []
    private var afterEmoji = false

    mutating func push(_ scalar: Unicode.Scalar, into output: inout [Unicode.Scalar]) {
        if scalar.isVariationOrKeycap || (afterEmoji && scalar.value == 0x200D) { return }
        if scalar.isEmojiToDrop {
            afterEmoji = true
            return
        }
        if scalar == " " {
            if afterEmoji, !spaces.isEmpty { return }
            // More than a few are no gap in front of an emoji; the stage holds no unbounded run.
            if spaces.count < 16 { spaces.append(scalar) } else { output.append(scalar) }
            return
        }
        if !(afterEmoji && scalar.isClosingPunctuation) { output += spaces }
        spaces.removeAll(keepingCapacity: true)
        afterEmoji = false
        output.append(scalar)
    }

    mutating func finish(into output: inout [Unicode.Scalar]) {
        output += spaces
        spaces = []
        afterEmoji = false
    }
}

extension Unicode.Scalar {
    /// Variation selectors, the enclosing keycap, and the tags of regional flags: never spoken.
    fileprivate var isVariationOrKeycap: Bool {
        switch value {
        case 0xFE0E, 0xFE0F, 0x20E3, 0xE0020...0xE007F: true
        default: false
        }
    }

    fileprivate var isEmojiToDrop: Bool {
        switch value {
        case 0x2600...0x27BF, 0x2B00...0x2BFF, 0x1F000...0x1FAFF:
            properties.generalCategory == .otherSymbol || properties.isEmojiModifier || properties.isEmoji
        case 0x2190...0x25FF: properties.isEmoji
        default: properties.isEmojiPresentation
        }
    }

    fileprivate var isClosingPunctuation: Bool {
        switch self {
        case ".", ",", "!", "?", ";", ":", ")": true
        default: false
        }
    }
}
