extension SessionState {
    /// Something of the conversation, in the order in which it began.
    package enum HistoryEntry: Hashable, Sendable {
        case userTurn(UserTurn)
        case reply(ReplyState)
        case toolCall(ToolCallState)
    }

    /// Where an entry of the history is kept, so that later events can change it.
    enum HistoryReference: Hashable, Sendable {
        case userTurn(Int)
        case reply(UInt32)
        case toolCall(String)
    }

    /// Number of the last user turn; 0 before the first.
    package var lastTurn: UInt32 { userTurns.map(\.turn).max() ?? 0 }
    /// Number of the last reply; 0 before the first.
    package var lastReply: UInt32 { repliesByNumber.keys.max() ?? 0 }
    /// What the caller said last; empty before the first turn.
    package var lastUserText: String { userTurns.last?.text ?? "" }

    /// Replies in the order in which they began.
    package var replies: [ReplyState] {
        order.compactMap { reference in
            if case .reply(let number) = reference { repliesByNumber[number] } else { nil }
        }
    }

    /// The reply of that number, where the log knows one.
    package func reply(_ number: UInt32) -> ReplyState? { repliesByNumber[number] }

    /// The reply that was being spoken when the log ends: begun, and neither heard to its end nor interrupted. This is what a new owner
    /// goes on with.
    package var openReply: ReplyState? {
        guard let last = replies.last, !last.isFinished else { return nil }
        return last
    }

    /// Replies that were neither heard to their end nor interrupted, in the order in which they are heard.
    package var unfinishedReplies: [ReplyState] { replies.filter { !$0.isFinished } }

    /// The last user turn, if no reply to it has begun.
    package var unansweredTurn: UserTurn? {
        guard let turn = userTurns.last, !replies.contains(where: { ($0.started?.turn ?? 0) >= turn.turn }) else { return nil }
        return turn
    }

    /// Tool calls in the order in which they were made.
    package var toolCalls: [ToolCallState] {
        order.compactMap { reference in
            if case .toolCall(let id) = reference { toolCallsByID[id] } else { nil }
        }
    }

    /// Calls that were stored and have no outcome: after a takeover it is not known whether they ran.
    package var pendingToolCalls: [ToolCallState] { toolCalls.filter { $0.returned == nil } }

    mutating func apply(_ turn: UserTurn) {
        partial = nil
        order.append(.userTurn(userTurns.count))
        userTurns.append(turn)
    }

    mutating func apply(_ started: ReplyStarted) {
        let position = position
        changeReply(started.reply) {
            $0.started = started
            $0.startedAt = position
        }
    }

    mutating func apply(_ call: ToolCalled) {
        guard toolCallsByID[call.call] == nil else { return }
        order.append(.toolCall(call.call))
        toolCallsByID[call.call] = ToolCallState(called: call)
    }

    mutating func changeReply(_ number: UInt32, _ change: (inout ReplyState) -> Void) {
        if repliesByNumber[number] == nil { order.append(.reply(number)) }
        change(&repliesByNumber[number, default: ReplyState(number: number)])
    }

    func entry(_ reference: HistoryReference) -> HistoryEntry? {
        switch reference {
        case .userTurn(let index): .userTurn(userTurns[index])
        case .reply(let number): repliesByNumber[number].map(HistoryEntry.reply)
        case .toolCall(let id): toolCallsByID[id].map(HistoryEntry.toolCall)
        }
    }
}
