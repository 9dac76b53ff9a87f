/// What the text code asks about single scalars. Ranges are Unicode 16 blocks.
extension Unicode.Scalar {
    /// Scripts written without spaces whose characters each stand for about a word or syllable: Han, Hiragana, Katakana, Bopomofo, their
    /// half-width and compatibility forms.
    var isUnspacedCJK: Bool {
        switch value {
        case 0x3005...0x3007, 0x3021...0x3029, 0x3041...0x3096, 0x309D...0x309F, 0x30A1...0x30FA, 0x30FC...0x30FF,
            0x3105...0x312F,
            0x31A0...0x31BF, 0x31F0...0x31FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0xFF66...0xFF9D,
            0x20000...0x2FA1F, 0x30000...0x323AF:
            true
        default: false
        }
    }

    /// Hangul syllables and jamo. Korean has spaces, yet costs about one token a syllable.
    var isHangul: Bool {
        switch value {
        case 0x1100...0x11FF, 0x3131...0x318E, 0xA960...0xA97C, 0xAC00...0xD7FB: true
        default: false
        }
    }

    /// Letters and digits of any script; the part of a text that is spoken rather than written around it.
    var isWordScalar: Bool {
        if value < 0x80 { return isASCIIAlphanumeric }
        return properties.isAlphabetic || properties.numericType != nil || properties.generalCategory == .nonspacingMark
    }

    /// `0-9`, `A-Z`, `a-z`.
    var isASCIIAlphanumeric: Bool {
        switch value {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
        default: false
        }
    }

    /// `0-9`.
    var isASCIIDigit: Bool { (0x30...0x39).contains(value) }
}
