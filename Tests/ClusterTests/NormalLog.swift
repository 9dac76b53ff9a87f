import SessionLog

/// What a conversation was, without what depends on time, on ids and on the way of the call: kinds of events in order with their texts.
struct NormalLog: Equatable, CustomStringConvertible {
    private(set) var lines: [String] = []

    /// Replies in the order in which they began: numbers are also given to drafts that nobody hears.
    private var replies: [UInt32] = []
    /// What came of tool calls; when is a matter of time.
    private var results: [String: String] = [:]

    init(_ events: [Event]) {
        for case .toolReturned(let result) in events.compactMap(\.body) { results[result.call] = "\(result.outcome), \(result.content)" }
        for event in events {
            guard let line = line(event) else { continue }
            // Keys come one by one or together.
            if let last = lines.last, last.hasPrefix("keys "), line.hasPrefix("keys ") {
                lines[lines.count - 1] = last + line.dropFirst(5)
            } else {
                lines.append(line)
            }
        }
    }

    var description: String { lines.joined(separator: "\n") }

    static func == (left: NormalLog, right: NormalLog) -> Bool { left.lines == right.lines }

    private mutating func number(_ reply: UInt32) -> Int {
        if !replies.contains(reply) { replies.append(reply) }
        return (replies.firstIndex(of: reply) ?? 0) + 1
    }

    /// Nil for measurements, for positions in audio, and for who has the session and what another worker needs to go on, which each way of a
    /// call needs differently.
    private mutating func line(_ event: Event) -> String? {
        switch event.body {
        case .opened(let opened): "opened \(opened.agent) \(opened.direction)"
        case .attached: "attached"
        case .detached: "detached"
        case .userTurn(let turn): "turn \(turn.turn) by \(turn.input): \(turn.text)"
        case .replyStarted(let reply): "reply \(number(reply.reply)) to \(reply.turn), \(reply.kind), by \(reply.languageModel)"
        case .sentence(let sentence): "sentence \(number(sentence.reply)).\(sentence.index): \(sentence.text)"
        case .heard(let heard): outcome(heard)
        case .toolCalled(let call): "tool \(call.name) \(call.arguments): \(results[call.call] ?? "no result")"
        case .handedOff(let hand): "handed from \(hand.from) to \(hand.to)"
        case .slotFilled(let slot): "slot \(slot.record).\(slot.slot) = \(slot.value)"
        case .flowMoved(let flow): "flow \(flow.flow) at \(flow.node)"
        case .dtmf(let keys): "keys \(keys.digits)"
        case .command(let command): "command \(command.kind)"
        case .error(let error): "error \(error.component) \(error.code)"
        case .closed(let closed): "closed: \(closed.reason)"
        case .claimed, .toolReturned, .userPartial, .sentenceAudio, .replyWritten, .replyProgress, .latency, .usage, nil: nil
        }
    }

    /// How much was heard of an interrupted reply is a matter of time.
    private mutating func outcome(_ heard: Heard) -> String? {
        if heard.complete { return "heard \(number(heard.reply)): \(heard.text)" }
        return heard.interrupted ? "interrupted \(number(heard.reply))" : nil
    }
}
