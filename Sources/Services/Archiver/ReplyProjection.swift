import SessionLog

/// The rows of one reply, computed from all its events.
///
/// A reply may be carried on by another worker, whose events have a higher fence. Normally one event begins it. Where Redis lost an
/// owner's last second and the next owner used the number again, there are two beginnings, and each gets a row with what followed it.
enum ReplyProjection {
    /// Rows of a reply; none while the event that begins it has not arrived.
    static func turns(_ events: [ArchivedEvent]) -> [TurnRow] {
        var rows: [Draft] = []
        var early: [ArchivedEvent] = []
        for event in events.sorted(by: { $0.key < $1.key }) {
            if case .replyStarted(let started) = event.event.body {
                rows.append(Draft(started, event))
            } else if rows.isEmpty {
                early.append(event)
            } else {
                rows[rows.count - 1].add(event)
            }
        }
        guard !rows.isEmpty else { return [] }
        for event in early { rows[0].add(event) }
        return rows.map(\.row)
    }

    private struct Draft {
        private var turn: TurnRow
        private var sentences: [UInt32: String] = [:]
        private var heardAt: LogPosition?

        init(_ started: ReplyStarted, _ event: ArchivedEvent) {
            turn = TurnRow(
                key: event.key, tenant: event.tenant, leg: Int64(event.event.leg), role: .agent,
                number: Int64(started.reply), kind: started.kind.columnText, at: event.wallClock,
                started: event.positionMilliseconds, text: "", applied: event.key.position)
            turn.answers = started.turn == 0 ? nil : Int64(started.turn)
            turn.provider = started.languageModel.storableIfAny
            turn.voice = started.voice.storableIfAny
        }

        mutating func add(_ event: ArchivedEvent) {
            turn.applied = max(turn.applied, event.key.position)
            switch event.event.body {
            case .sentence(let sentence):
                // As in the session's own state, the first one logged under an index is the one that was spoken.
                if sentences[sentence.index] == nil { sentences[sentence.index] = sentence.text.storable }
            case .heard(let heard):
                if let heardAt, heardAt > event.key.position { return }
                heardAt = event.key.position
                turn.heard = heard.text.storable
                turn.heardMilliseconds = ArchivedEvent.milliseconds(heard.samples)
                turn.heardError = ArchivedEvent.milliseconds(heard.error)
                turn.interrupted = heard.interrupted
                turn.complete = heard.complete
                turn.ended = event.positionMilliseconds
            default:
                break
            }
        }

        var row: TurnRow {
            var row = turn
            row.text = sentences.sorted { $0.key < $1.key }.map(\.value).joined(separator: " ")
            return row
        }
    }
}

extension ReplyKind {
    fileprivate var columnText: String {
        switch self {
        case .replyAnswer: "answer"
        case .replyGreeting: "greeting"
        case .replySay: "say"
        case .replyApology: "apology"
        case .UNRECOGNIZED(let value): "kind_\(value)"
        }
    }
}
