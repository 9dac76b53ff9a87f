/// Lays a synthesiser's word marks over the words of the text it was given.
enum WordAlignment {
    /// How many words of the text a mark may be ahead of the last one that fitted.
    private static let window = 6

    /// The samples of each unit; nil where no mark fits. As many marks as units fit one to one, whatever they say; else by letters.
    static func times(of units: [SpokenUnit], marks: [WordTimeline.Mark], samples: Int64) -> [Range<Int64>]? {
        guard !units.isEmpty, !marks.isEmpty else { return nil }
        var times: [Range<Int64>?] = Array(repeating: nil, count: units.count)
        if marks.count == units.count {
            for (index, mark) in marks.enumerated() { times[index] = span(mark, samples) }
        } else {
            align(units, marks, samples, &times)
        }
        guard times.contains(where: { $0 != nil }) else { return nil }
        return filled(times, units, samples)
    }

    private static func span(_ mark: WordTimeline.Mark, _ samples: Int64) -> Range<Int64> {
        mark.start..<max(min(mark.end, samples), mark.start)
    }

    /// Walks units and marks together. A mark may hold several units ("New York") or a part of one ("twenty" of "twenty-one").
    private static func align(
        _ units: [SpokenUnit], _ marks: [WordTimeline.Mark], _ samples: Int64, _ times: inout [Range<Int64>?]
    ) {
        var unit = 0
        var rest = units[0].letters[...]
        for mark in marks {
            var letters = mark.word.unicodeScalars.filter(\.isWordScalar).flatMap {
                Array($0.properties.lowercaseMapping.unicodeScalars)
            }[...]
            guard !letters.isEmpty else { continue }
            if !fits(letters, rest) {
                let ahead = units.indices.dropFirst(unit + 1).prefix(window)
                guard let next = ahead.first(where: { fits(letters, units[$0].letters[...]) }) else { continue }
                unit = next
                rest = units[unit].letters[...]
            }
            let span = span(mark, samples)
            while !letters.isEmpty, fits(letters, rest) {
                times[unit] = (times[unit]?.lowerBound ?? span.lowerBound)..<span.upperBound
                let count = min(letters.count, rest.count)
                letters = letters.dropFirst(count)
                rest = rest.dropFirst(count)
                if rest.isEmpty {
                    unit += 1
                    if unit == units.count { return }
                    rest = units[unit].letters[...]
                }
            }
        }
    }

    private static func fits(_ letters: ArraySlice<Unicode.Scalar>, _ rest: ArraySlice<Unicode.Scalar>) -> Bool {
        !rest.isEmpty && zip(letters, rest).allSatisfy { $0 == $1 }
    }

    /// Gives units without a time the gap between their neighbours, by weight, and makes times follow each other.
    private static func filled(_ times: [Range<Int64>?], _ units: [SpokenUnit], _ samples: Int64) -> [Range<Int64>] {
        var result: [Range<Int64>] = []
        var index = 0
        var end: Int64 = 0
        while index < units.count {
            if let time = times[index] {
                let start = max(time.lowerBound, end)
                end = max(time.upperBound, start)
                result.append(start..<end)
                index += 1
                continue
            }
            let next = times[index...].firstIndex { $0 != nil } ?? units.count
            let limit = max(next < units.count ? times[next]?.lowerBound ?? samples : samples, end)
            let total = units[index..<next].reduce(0) { $0 + $1.weight }
            let first = end
            var weight = 0.0
            for unit in units[index..<next] {
                weight += unit.weight
                let stop = max(first + Int64(Double(limit - first) * weight / total), end)
                result.append(end..<stop)
                end = stop
            }
            index = next
        }
        return result
    }
}
