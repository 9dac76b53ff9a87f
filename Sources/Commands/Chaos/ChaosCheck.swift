import CallerSimulator

/// Judges a run: every invariant, against the record and against what callers heard and said. Pure.
struct ChaosCheck {
    struct Verdict: Sendable {
        var violations: [ChaosViolation]
        /// What the table of promises allows near the fault at hand.
        var promised: [ChaosViolation]
        /// How many of what was looked at.
        var counts: [String: Int]
    }

    let evidence: ChaosEvidence
    let book: ConversationBook

    func verdict() -> Verdict {
        var all: [(ChaosViolation, Bool)] = []
        for call in evidence.calls {
            let session = evidence.session(of: call)
            var found = ChaosCallCheck(call: call, session: session, book: book).violations()
            if let session {
                found += ChaosTurnCheck(call: call, session: session, book: book).violations()
                var words = ChaosWordCheck(call: call, session: session, book: book)
                found += words.run()
            } else if call.readyAt != nil {
                found.append(
                    ChaosViolation(
                        kind: .lostTurn, call: call.caller, at: nil, detail: "the call has no session in the record"))
            }
            all += found.map { ($0, call.isResumable) }
        }
        all += (evidence.sessions.flatMap(log) + tools()).map { ($0, true) }
        let isAllowed = all.map { ChaosPromises.allows($0.0, isResumable: $0.1, evidence.incidents) }
        return Verdict(
            violations: zip(all, isAllowed).filter { !$1 }.map(\.0.0),
            promised: zip(all, isAllowed).filter { $1 }.map(\.0.0),
            counts: counts)
    }

    private var counts: [String: Int] {
        [
            "calls": evidence.calls.count, "sessions": evidence.sessions.count,
            "turns": evidence.sessions.reduce(0) { $0 + $1.turns.count },
            "utterances": evidence.calls.reduce(0) { $0 + $1.said.count },
            "words heard": evidence.calls.reduce(0) { $0 + $1.played.count },
            "events": evidence.sessions.reduce(0) { $0 + $1.events.count }, "tool runs": evidence.toolRuns.count,
        ]
    }

    // MARK: The record

    private func log(_ session: ChaosSession) -> [ChaosViolation] {
        let name = "\(session.caller) \(session.session)"
        var found: [ChaosViolation] = []
        for (earlier, later) in zip(session.events, session.events.dropFirst()) {
            if later.sequence == earlier.sequence {
                found.append(
                    .init(
                        kind: .staleFence, call: name, at: nil,
                        detail:
                            "sequence \(later.sequence) was written with the fences \(earlier.fence) and \(later.fence)"
                    ))
            } else if later.fence < earlier.fence {
                found.append(
                    .init(
                        kind: .staleFence, call: name, at: nil,
                        detail:
                            "sequence \(later.sequence) has the fence \(later.fence), the one before it \(earlier.fence)"
                    ))
            }
        }
        if !session.isClosed || session.closeReason.isEmpty {
            found.append(.init(kind: .unclosed, call: name, at: nil, detail: "reason '\(session.closeReason)'"))
        }
        return found
    }

    private func tools() -> [ChaosViolation] {
        let once = evidence.toolRuns.filter { !evidence.idempotentTools.contains($0.name) }
        let byKey = Dictionary(grouping: once) { "\($0.name) with the key \($0.key)" }
        // A model that is asked again gives the call another id: the turn says that it is the same.
        let byTurn = Dictionary(grouping: once) { "\($0.name) for turn \($0.turn) of \($0.session)" }
        let twice = byKey.filter { $1.count > 1 }.merging(byTurn.filter { $1.count > 1 }) { a, _ in a }
        let doubled = twice.sorted { $0.key < $1.key }.map { name, runs in
            ChaosViolation(
                kind: .toolTwice, call: runs[0].session, at: runs[1].at, detail: "\(name) ran \(runs.count) times")
        }
        let keys = Set(evidence.toolRuns.map(\.key))
        let untold = evidence.sessions.flatMap { session in
            session.toolCalls.filter { $0.outcome == "succeeded" && !keys.contains("\(session.session)/\($0.call)") }
                .map {
                    ChaosViolation(
                        kind: .toolUntold, call: "\(session.caller) \(session.session)", at: nil,
                        detail: "\($0.name) \($0.call)")
                }
        }
        return doubled + untold
    }
}
