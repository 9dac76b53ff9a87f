/// What a language model is given of a conversation, oldest item first. A value: a generation works on its own copy.
///
/// It grows by `append` alone; whoever owns it calls a `truncate` before each generation, which is its bound.
package struct ChatContext: Sendable, Hashable {
    /// Oldest first.
    package internal(set) var items: [ChatItem]

    package init(_ items: [ChatItem] = []) {
        self.items = items
    }

    /// A context that starts with a system message.
    package init(instructions: String) {
        self.items = [.message(ChatMessage(.system, instructions))]
    }

    /// The system message in front, if the context begins with one.
    package var instructions: String? {
        guard case .message(let message) = items.first, message.role == .system else { return nil }
        return message.text
    }

    /// Calls without a result, oldest first. Providers refuse a context with such a call in the middle.
    package var openCalls: [ToolCall] {
        var open: [ToolCall] = []
        for item in items {
            switch item {
            case .message: continue
            case .toolCall(let call): open.append(call)
            case .toolResult(let result): open.removeAll { $0.id == result.callID }
            }
        }
        return open
    }

    /// The sum over all items, see ``TokenEstimate``.
    package var estimatedTokens: Int {
        items.reduce(0) { $0 + $1.estimatedTokens }
    }

    package mutating func append(_ item: ChatItem) {
        items.append(item)
    }

    package mutating func append(_ message: ChatMessage) {
        items.append(.message(message))
    }

    package mutating func append(_ call: ToolCall) {
        items.append(.toolCall(call))
    }

    package mutating func append(_ result: ToolResult) {
        items.append(.toolResult(result))
    }

    /// Replaces the system message in front, or puts one there.
    package mutating func setInstructions(_ text: String) {
        let item = ChatItem.message(ChatMessage(.system, text))
        if instructions == nil { items.insert(item, at: 0) } else { items[0] = item }
    }
}
