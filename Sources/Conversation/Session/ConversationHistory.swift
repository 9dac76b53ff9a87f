package import SessionLog

/// What the language model is shown, as a view of the session's state: there is no second copy to keep in step, so a worker that
/// takes a session over shows its model the same history.
package enum ConversationHistory {
    /// Turns, replies as far as they were heard, tool calls and their results, oldest first.
    package static func context(of state: SessionState, limits: AgentDefinition.Limits) -> ChatContext {
        var context = ChatContext()
        for entry in state.history {
            switch entry {
            case .userTurn(let turn):
                context.append(.message(ChatMessage(.user, turn.text)))
            case .reply(let reply):
                let text = reply.textForContext
                if !text.isEmpty {
                    context.append(.message(ChatMessage(.assistant, text, reply: reply.number, interrupted: reply.isInterrupted)))
                }
            case .toolCall(let call):
                context.append(.toolCall(ToolCall(id: call.id, name: call.name, arguments: call.arguments)))
                context.append(.toolResult(result(of: call)))
            }
        }
        context.truncate(maxItems: limits.maxContextItems, keepInstructions: true)
        _ = context.truncate(maxTokens: limits.maxContextTokens)
        return context
    }

    private static func result(of call: SessionState.ToolCallState) -> ToolResult {
        switch call.outcome {
        case .succeeded: ToolResult(callID: call.id, name: call.name, content: call.result)
        case .failed: ToolResult(callID: call.id, name: call.name, content: call.result, isError: true)
        case .cancelled: ToolResult(callID: call.id, name: call.name, content: "cancelled", isError: true)
        case .unknown:
            ToolResult(
                callID: call.id, name: call.name,
                content: "It is not known whether this ran. Do not claim that it did or did not.", isError: true,
                outcomeUnknown: true)
        case nil: ToolResult(callID: call.id, name: call.name, content: "still running")
        }
    }

    /// The instructions of the agent, with what its flow has collected so far.
    package static func instructions(for agent: AgentDefinition, position: FlowPosition) -> String {
        guard let flow = agent.flow else { return agent.instructions }
        var lines = [agent.instructions, "", "You collect a record named '\(flow.record)':"]
        for slot in flow.slots {
            let known = position.slots[slot.name].map { $0.refused ? "declined" : "'\($0.value)'" } ?? "not known yet"
            lines.append("- \(slot.name): \(known). Ask: \(slot.question)")
        }
        lines.append("You are heard, not read: short sentences, no lists, no markup, one question at a time.")
        return lines.joined(separator: "\n")
    }
}

extension ChatContext {
    /// What the caller said last; nil before the first turn.
    package var lastUserText: String? {
        for item in items.reversed() {
            if case .message(let message) = item, message.role == .user { return message.text }
        }
        return nil
    }
}
