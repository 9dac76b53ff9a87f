/// Transcripts compared and counted.
package enum TranscriptText {
    /// A transcript without what recognisers change between an interim and a final result: case, punctuation, white space. Two transcripts with
    /// equal results say the same, and a reply begun on one may be kept for the other.
    ///
    /// Lower case; words with one space between, none between characters of Chinese and Japanese. Apostrophes go ("don't" is "dont"), hyphens
    /// part words. Inside numbers "." and ":" stay and "," goes. Signs that are spoken ("%", "€", "@", "&", "+") stay.
    /// - Parameter droppingFillers: leave out ``fillers`` too.
    package static func normalized(_ text: String, droppingFillers: Bool = false) -> String {
        let words = words(text, droppingFillers: droppingFillers)
        var result = ""
        for word in words {
            let joins =
                result.unicodeScalars.last?.isUnspacedCJK == true && word.unicodeScalars.first?.isUnspacedCJK == true
            if !result.isEmpty, !joins { result += " " }
            result += word
        }
        return result
    }

    /// How many words were said. Every character of Chinese and Japanese counts as one; in Thai, Lao, Khmer and Burmese, which have no spaces
    /// either, four letters do. A filler counts only without `droppingFillers`.
    package static func wordCount(_ text: String, droppingFillers: Bool = false) -> Int {
        words(text, droppingFillers: droppingFillers).reduce(0) { count, word in
            let unspaced = word.unicodeScalars.reduce(0) { $0 + ($1.isUnspacedSoutheastAsian ? 1 : 0) }
            return count + max(1, (unspaced + 3) / 4)
        }
    }

    /// Sounds of hesitation that carry no meaning. Back-channels ("mhm", "uh-huh") are none: they answer.
    package static let fillers: Set<String> = [
        "um", "umm", "uhm", "uh", "uhh", "er", "err", "erm", "hm", "hmm", "mm", "ah", "eh", "äh", "ähm",
    ]

    /// The normalised words, characters of Chinese and Japanese as words of their own.
    static func words(_ text: String, droppingFillers: Bool = false) -> [String] {
        var words: [String] = []
        var word = String.UnicodeScalarView()
        func close() {
            guard !word.isEmpty else { return }
            let lowered = String(word).lowercased()
            if !(droppingFillers && fillers.contains(lowered)) { words.append(lowered) }
            word.removeAll()
        }
        let scalars = Array(text.unicodeScalars)
        for (index, scalar) in scalars.enumerated() {
            if scalar.isUnspacedCJK {
                close()
                words.append(String(scalar))
            } else if scalar.isWordScalar {
                word.append(scalar)
            } else if isInsideNumber(index, scalars) {
                if scalar != "," { word.append(scalar) }
            } else if !scalar.isApostrophe {
                close()
                if scalar.isSpokenSign { words.append(String(scalar)) }
            }
        }
        close()
        return words
    }

    private static func isInsideNumber(_ index: Int, _ scalars: [Unicode.Scalar]) -> Bool {
        guard index > 0, index + 1 < scalars.count, [".", ",", ":"].contains(scalars[index]) else { return false }
        return scalars[index - 1].isASCIIDigit && scalars[index + 1].isASCIIDigit
    }
}

extension Unicode.Scalar {
    fileprivate var isApostrophe: Bool { self == "'" || self == "’" || self == "ʼ" || self == "‘" }

    fileprivate var isSpokenSign: Bool {
        if self == "%" || self == "&" || self == "@" || self == "#" { return true }
        return properties.generalCategory == .currencySymbol || properties.generalCategory == .mathSymbol
    }

    fileprivate var isUnspacedSoutheastAsian: Bool {
        switch value {
        case 0x0E01...0x0E3A, 0x0E40...0x0EDF, 0x1000...0x109F, 0x1780...0x17D3: true
        default: false
        }
    }
}
