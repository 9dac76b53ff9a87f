/// Finds the name that somebody probably meant.
package enum SpellingDistance {
    /// The nearest of `names`, nil when none is near: at most a third of the letters may differ, and at most 6.
    package static func nearest(to text: String, among names: some Sequence<String>) -> String? {
        let limit = min(6, max(1, text.count / 3))
        return names.map { (name: $0, distance: between(text, $0)) }
            .filter { $0.distance <= limit }
            .min { ($0.distance, $0.name) < ($1.distance, $1.name) }?.name
    }

    /// The number of letters to insert, remove or replace to make `left` of `right` (Levenshtein).
    package static func between(_ left: String, _ right: String) -> Int {
        let right = Array(right)
        var previous = Array(0...right.count)
        for (row, letter) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                let replaced = previous[column] + (letter == other ? 0 : 1)
                current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[right.count]
    }
}
