/// Corrections by letter: "Smith with a y" makes Smyth of Smith.
enum Spelling {
    /// The corrected value, or nil where the text does not correct a spelling.
    static func apply(_ text: String, to value: String) -> String? {
        let words = Phrases.tokens(text)
        guard let with = words.lastIndex(of: "with"), with + 2 < words.count, ["a", "an"].contains(words[with + 1]) else { return nil }
        let letter = letterName(words[with + 2])
        guard let letter, let spoken = with > 0 ? words[with - 1] : nil else { return nil }
        var parts = value.split(separator: " ").map(String.init)
        guard let index = parts.firstIndex(where: { $0.lowercased() == spoken }) ?? parts.indices.last,
            let changed = change(parts[index], to: letter)
        else { return nil }
        parts[index] = changed
        return parts.joined(separator: " ")
    }

    private static func letterName(_ word: String) -> Character? {
        if word.count == 1 { return word.first }
        return ["why": "y", "kay": "k", "see": "c", "zee": "z", "zed": "z", "eff": "f", "ess": "s", "tee": "t"][word]
    }

    /// Replaces the first letter that sounds like the new one.
    private static func change(_ word: String, to letter: Character) -> String? {
        let alike: [Character: [Character]] = [
            "y": ["i", "e"], "i": ["y", "e"], "k": ["c", "q"], "c": ["k", "s"], "z": ["s"], "s": ["z", "c"], "e": ["a", "i"], "a": ["e"],
            "f": ["v"], "v": ["f"], "t": ["d"], "d": ["t"],
        ]
        for candidate in alike[letter] ?? [] {
            if let index = word.dropFirst().firstIndex(of: candidate) {
                var changed = word
                changed.replaceSubrange(index...index, with: String(letter))
                return changed
            }
        }
        return nil
    }
}
