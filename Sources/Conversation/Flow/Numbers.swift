/// Numbers as people say them.
enum Numbers {
    /// An amount of money as digits with its unit, e.g. `25000 dollars`; a range keeps both ends. Nil where no number is said.
    static func money(in text: String) -> String? {
        let words = Phrases.tokens(text.replacing(",", with: "").replacing("$", with: " dollars ").replacing("€", with: " euros "))
        var amounts: [String] = []
        var index = 0
        while index < words.count {
            if let (value, used) = number(words[index...]) {
                amounts.append(String(value))
                index += used
            } else {
                index += 1
            }
        }
        guard let first = amounts.first else { return nil }
        let unit = ["dollars", "euros", "pounds"].first { words.contains($0) || words.contains(String($0.dropLast())) }
        let range = amounts.count > 1 ? "\(first) to \(amounts[1])" : first
        let per = ["month", "year", "week"].first { period in words.contains(period) && (words.contains("per") || words.contains("a")) }
        return [range, unit, per.map { "per \($0)" }].compactMap { $0 }.joined(separator: " ")
    }

    /// The number at the start of the words and how many of them it takes.
    static func number(_ words: ArraySlice<String>) -> (Int, Int)? {
        var total = 0
        var current = 0
        var used = 0
        var isNumber = false
        for (offset, word) in words.enumerated() {
            if let value = digits(word) {
                if isNumber, current % 10 != 0 || value >= 10 { break }
                current += value
                isNumber = true
            } else if let value = small[word] {
                if isNumber, !(current % 100 == 0 || (current % 10 == 0 && value < 10)) { break }
                current += value
                isNumber = true
            } else if word == "a", offset == 0, let next = words.dropFirst().first, scale[next] != nil || next == "hundred" {
                current = 1
            } else if word == "half", offset == 0, words.dropFirst().starts(with: ["a", "million"]) {
                return (500_000, 3)
            } else if word == "hundred", isNumber || current == 1 {
                current = max(current, 1) * 100
                isNumber = true
            } else if let factor = scale[word], isNumber || current == 1 {
                total += max(current, 1) * factor
                current = 0
                isNumber = true
            } else if word == "and", isNumber, current % 100 == 0, current > 0, words.dropFirst(offset + 1).first.map({ small[$0] != nil }) ?? false {
                // "one hundred and five"
            } else {
                break
            }
            used = offset + 1
        }
        return isNumber ? (total + current, used) : nil
    }

    private static func digits(_ word: String) -> Int? {
        if let value = Int(word) { return value }
        if word.hasSuffix("k"), let value = Int(word.dropLast()) { return value * 1_000 }
        return nil
    }

    private static let scale = ["thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000]
    private static let small: [String: Int] = [
        "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
        "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18,
        "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
    ]
}
