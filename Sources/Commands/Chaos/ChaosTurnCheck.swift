import CallerSimulator
import ProviderSimulator

/// Compares what a caller said with the turns in the record: nothing missing, nothing twice, in order.
struct ChaosTurnCheck {
    /// A caller who hangs up does not wait for the last words to be understood.
    private static let hangUp: Int64 = 2_000_000_000

    let call: CallRecord
    let session: ChaosSession
    let book: ConversationBook

    /// What a caller said to its end.
    var said: [CallRecord.Said] {
        call.said.filter { said in said.endedAt.map { call.endedAt - $0 > Self.hangUp } ?? false }
    }

    func violations() -> [ChaosViolation] { numbers() + told() + words() }

    private func violation(_ kind: ChaosViolation.Kind, at: Int64?, _ detail: String) -> ChaosViolation {
        ChaosViolation(kind: kind, call: "\(call.caller) \(session.session)", at: at, detail: detail)
    }

    private func numbers() -> [ChaosViolation] {
        let numbers = session.turns.map(\.number)
        guard numbers != Array(1..<numbers.count + 1) else { return [] }
        return [violation(.disorderedTurns, at: nil, "turns are numbered \(numbers)")]
    }

    /// Turns that the caller was told of are committed: they are in the record, in this order. It is not told of all,
    /// while it is away.
    private func told() -> [ChaosViolation] {
        var rest = session.turns.map { AnswerBook.words($0.text) }[...]
        return call.told.compactMap { told in
            if let place = rest.firstIndex(of: AnswerBook.words(told.text)) {
                rest = rest[(place + 1)...]
                return nil
            }
            return violation(
                .lostTurn, at: told.at,
                "the caller was told of the turn '\(told.text)', which is not in the record at its place")
        }
    }

    private func words() -> [ChaosViolation] {
        let spoken = call.said.enumerated().flatMap { index, said in
            AnswerBook.words(book.lines[said.line].text).map { (word: $0, of: index) }
        }
        let recorded = session.turns.enumerated().flatMap { index, turn in
            AnswerBook.words(turn.text).map { (word: $0, of: index) }
        }
        let pairs = WordAlignment.pairs(spoken.map(\.word), recorded.map(\.word))
        return missing(spoken.map(\.of), Set(pairs.map(\.0))) + extra(recorded.map(\.of), Set(pairs.map(\.1)))
    }

    /// Of what was said several times, because nobody answered, one time counts.
    private func missing(_ owners: [Int], _ found: Set<Int>) -> [ChaosViolation] {
        let heard = call.said.indices.map { said in owners.indices.count { owners[$0] == said && found.contains($0) } }
        let whole = Set(said)
        return call.said.indices.compactMap { index in
            let said = call.said[index]
            let again = call.said[(index + 1)...].prefix { $0.line == said.line && $0.attempt > said.attempt }
            guard said.attempt == 1, whole.contains(said) else { return nil }
            let count = owners.count { $0 == index }
            let missing = count - (heard[index...index + again.count].max() ?? 0)
            guard missing > 0 else { return nil }
            let text = book.lines[said.line].text
            if missing * 3 > count * 2 {
                return violation(.lostTurn, at: said.endedAt, "'\(text)' was said and is in no turn")
            }
            return violation(
                .cutTurn, at: said.endedAt, "'\(text)' was said, \(missing) of its \(count) words are in no turn")
        }
    }

    private func extra(_ owners: [Int], _ found: Set<Int>) -> [ChaosViolation] {
        session.turns.enumerated().compactMap { index, turn in
            let extra = owners.indices.count { owners[$0] == index && !found.contains($0) }
            guard extra > 0 else { return nil }
            return violation(
                .doubledTurn, at: nil,
                "\(extra) words of turn \(turn.number) '\(turn.text)' were not said, or not again")
        }
    }
}

/// The longest common subsequence of two texts.
enum WordAlignment {
    /// Places in the one and in the other that belong together, ascending.
    static func pairs(_ a: [String], _ b: [String]) -> [(Int, Int)] {
        let width = b.count + 1
        // Common words from here to the ends.
        var lengths = [Int32](repeating: 0, count: (a.count + 1) * width)
        for row in a.indices.reversed() {
            for column in b.indices.reversed() {
                let here = row * width + column
                lengths[here] =
                    a[row] == b[column] ? lengths[here + width + 1] + 1 : max(lengths[here + width], lengths[here + 1])
            }
        }
        var pairs: [(Int, Int)] = []
        var (row, column) = (0, 0)
        while row < a.count, column < b.count {
            let here = row * width + column
            if a[row] == b[column], lengths[here] == lengths[here + width + 1] + 1 {
                pairs.append((row, column))
                row += 1
                column += 1
            } else if lengths[here + width] >= lengths[here + 1] {
                row += 1
            } else {
                column += 1
            }
        }
        return pairs
    }
}
