/// Replaces whole words and phrases: the pronunciation dictionary of an agent.
///
/// Of several keys that fit at a place the longest wins. What was put in is not looked at again. Only text that may be the beginning of a key is
/// held back. A side of a key that is no letter or digit ("C++", ".NET") needs no word boundary there. Empty keys are ignored.
struct WordReplacer: TextStage, Sendable {
    private struct Rule: Sendable {
        let key: [Unicode.Scalar]
        let value: [Unicode.Scalar]
    }

    private let matchesCase: Bool
    /// By the first scalar of the key, longest key first.
    private var rules: [Unicode.Scalar: [Rule]] = [:]
    private var held: [Unicode.Scalar] = []
    /// The scalar of the input in front of `held`.
    private var previous: Unicode.Scalar?

    init(_ replacements: [String: String], matchesCase: Bool = false) {
        self.matchesCase = matchesCase
        let sorted = replacements.sorted {
            ($0.key.unicodeScalars.count, $1.key) > ($1.key.unicodeScalars.count, $0.key)
        }
        for (key, value) in sorted {
            let folded = key.unicodeScalars.map { matchesCase ? $0 : $0.folded }
            guard let first = folded.first else { continue }
            rules[first, default: []].append(Rule(key: folded, value: Array(value.unicodeScalars)))
        }
    }

    mutating func push(_ scalar: Unicode.Scalar, into output: inout [Unicode.Scalar]) {
        held.append(scalar)
        drain(into: &output, atEnd: false)
    }

    mutating func finish(into output: inout [Unicode.Scalar]) {
        drain(into: &output, atEnd: true)
        previous = nil
    }

    private enum Match {
        case undecided, none
        case rule(Rule)
    }

    private mutating func drain(into output: inout [Unicode.Scalar], atEnd: Bool) {
        while let first = held.first {
            switch match(first, atEnd: atEnd) {
            case .undecided: return
            case .none:
                output.append(first)
                advance(by: 1)
            case .rule(let rule):
                output += rule.value
                advance(by: rule.key.count)
            }
        }
    }

    private mutating func advance(by count: Int) {
        previous = held[count - 1]
        held.removeFirst(count)
    }

    /// Whether a key begins at the start of `held`.
    private func match(_ first: Unicode.Scalar, atEnd: Bool) -> Match {
        guard let candidates = rules[matchesCase ? first : first.folded] else { return .none }
        if first.isWordScalar, let previous, previous.isWordScalar, !first.isUnspacedCJK { return .none }
        for rule in candidates {
            let count = min(rule.key.count, held.count)
            guard zip(rule.key, held).allSatisfy({ $0 == (matchesCase ? $1 : $1.folded) }) else { continue }
            if count < rule.key.count {
                if atEnd { continue }
                return .undecided
            }
            guard let last = rule.key.last, last.isWordScalar, !last.isUnspacedCJK else { return .rule(rule) }
            if held.count == count {
                if atEnd { return .rule(rule) }
                return .undecided
            }
            if !held[count].isWordScalar || held[count].isUnspacedCJK { return .rule(rule) }
        }
        return .none
    }
}

extension Unicode.Scalar {
    /// Lower case where that is one scalar.
    fileprivate var folded: Unicode.Scalar {
        if value < 0x80 {
            return (0x41...0x5A).contains(value) ? Unicode.Scalar(UInt8(value) + 0x20) : self
        }
        let lowered = properties.lowercaseMapping.unicodeScalars
        guard let first = lowered.first, lowered.count == 1 else { return self }
        return first
    }
}
