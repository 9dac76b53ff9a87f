/// A word of a sentence (a character, in Chinese and Japanese) with an estimate of how long it takes to say.
struct SpokenUnit {
    /// Offsets of scalars; with what follows up to the next word, the first also with what comes before.
    var range: Range<Int>
    /// Letters and digits in lower case.
    var letters: [Unicode.Scalar]
    var syllables: Double
    /// Syllables that fit into the pause behind the word.
    var pause: Double

    var weight: Double { syllables + pause }

    /// Covers the whole text; empty where it has no letter or digit.
    static func split(_ text: String) -> [SpokenUnit] {
        let scalars = Array(text.unicodeScalars)
        var starts: [Int] = []
        var inWord = false
        for (index, scalar) in scalars.enumerated() {
            if scalar.properties.isWhitespace {
                inWord = false
            } else if scalar.isUnspacedCJK {
                starts.append(index)
                inWord = false
            } else if scalar.isWordScalar, !inWord {
                // Quotes and brackets that open a word belong to it.
                var start = index
                while start > 0, !scalars[start - 1].properties.isWhitespace, !scalars[start - 1].isWordScalar,
                    !scalars[start - 1].closesClause, starts.last.map({ $0 < start - 1 }) ?? true
                {
                    start -= 1
                }
                starts.append(start)
                inWord = true
            }
        }
        return starts.indices.map { index in
            let start = index == 0 ? 0 : starts[index]
            let end = index + 1 < starts.count ? starts[index + 1] : scalars.count
            let word = scalars[start..<end]
            let isLast = index + 1 == starts.count
            let letters = word.filter(\.isWordScalar).flatMap { Array($0.properties.lowercaseMapping.unicodeScalars) }
            return SpokenUnit(
                range: start..<end, letters: letters, syllables: syllables(letters),
                pause: isLast ? 0 : pause(behind: word))
        }
    }

    /// Groups of vowels in Latin script, one and a half for a digit, one for a CJK character or Hangul syllable, 0.4 for a letter of another script.
    private static func syllables(_ letters: [Unicode.Scalar]) -> Double {
        var count = 0.0
        var afterVowel = false
        for letter in letters {
            if letter.isUnspacedCJK || letter.isHangul {
                count += 1
            } else if letter.properties.numericType != nil {
                count += 1.5
            } else if letter.value >= 0x250, letter.properties.isAlphabetic {
                count += 0.4
            }
            let isVowel = "aeiouyàáâäãåèéêëìíîïòóôöõùúûü".unicodeScalars.contains(letter)
            if isVowel, !afterVowel { count += 1 }
            afterVowel = isVowel
        }
        return max(count, 1)
    }

    /// Synthesisers pause about a syllable and a half at a comma and twice that at a stop.
    private static func pause(behind word: ArraySlice<Unicode.Scalar>) -> Double {
        guard let mark = word.last(where: { !$0.properties.isWhitespace }) else { return 0 }
        switch mark {
        case ",", ";", ":", "—", "–", "、", "，", "；", "：", "،": return 1.5
        case ".", "!", "?", "…", "。", "！", "？", "।", "؟": return 3
        default: return 0
        }
    }
}

extension Unicode.Scalar {
    fileprivate var closesClause: Bool {
        switch self {
        case ",", ".", ";", ":", "!", "?", "…", "—", "–", "、", "，", "；", "：", "。", "！", "？", ")", "]", "”", "»", "」",
            "』", "）":
            true
        default: false
        }
    }
}
