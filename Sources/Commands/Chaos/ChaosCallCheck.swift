import CallerSimulator

/// What a caller's own record shows: answers, workers, the end of the call.
struct ChaosCallCheck {
    let call: CallRecord
    let session: ChaosSession?
    let book: ConversationBook

    private var name: String { [call.caller, session?.session ?? "no session"].joined(separator: " ") }

    func violations() -> [ChaosViolation] { answers() + workers() + end() }

    /// The time at which the answer to what was said began to be heard; nil where there was none.
    func answered(_ index: Int) -> Int64? {
        let said = call.said[index]
        guard let end = said.endedAt else { return nil }
        let until = call.said.dropFirst(index + 1).first { $0.line == said.line }?.startedAt ?? .max
        let answer = book.lines[said.line].answer
        return call.played.first { $0.at >= end && $0.at < until && book.words[$0.word].answer == answer }?.at
    }

    private func answers() -> [ChaosViolation] {
        call.said.indices.compactMap { index in
            let said = call.said[index]
            let text = book.lines[said.line].text
            if said.attempt > 1 {
                return ChaosViolation(
                    kind: .saidAgain, call: name, at: said.startedAt, detail: "'\(text)', attempt \(said.attempt)")
            }
            let isAgain = call.said.dropFirst(index + 1).first.map { $0.line == said.line && $0.attempt > 1 } ?? false
            // Who hangs up does not wait for the answer; the script does that only when it has waited long enough.
            guard let end = said.endedAt, call.endedBy != "caller" || call.endedAt - end > 5_000_000_000, !isAgain,
                answered(index) == nil
            else { return nil }
            return ChaosViolation(kind: .unanswered, call: name, at: end, detail: "'\(text)'")
        }
    }

    private func workers() -> [ChaosViolation] {
        call.sources.returns.map { back in
            ChaosViolation(
                kind: .twoWorkers, call: name, at: back.at,
                detail:
                    "frame \(back.frame) of a worker came after frames of its successor, which began when its last was \(back.source.last)"
            )
        }
    }

    private func end() -> [ChaosViolation] {
        guard call.endedBy != "caller" else { return [] }
        let problem = call.problems.last.map { ", \($0.text)" } ?? ""
        return [
            ChaosViolation(
                kind: .lostCall, call: name, at: call.gaps.last?.lostAt ?? call.endedAt,
                detail: "ended by \(call.endedBy) with \(call.closeCode) '\(call.closeReason)'\(problem)")
        ]
    }
}
