package import Conversation

/// A chat context put into the order that the vendors insist on: every tool call is followed by its result at once.
package enum ChatTurn: Sendable, Hashable {
    case system(String)
    case user(String)
    /// What the assistant said, and the calls it made then, each with its result.
    case assistant(String, calls: [AnsweredCall])

    package struct AnsweredCall: Sendable, Hashable {
        package var call: ToolCall
        package var result: ToolResult
    }

    /// Results move behind their calls; a call without one is answered with "outcome unknown", a result without a call is dropped.
    /// A repeated id belongs to the newest call before it. Empty messages are dropped.
    package static func turns(of context: ChatContext) -> [ChatTurn] {
        var builder = Builder()
        for item in context.items { builder.add(item) }
        return builder.turns
    }

    private struct Builder {
        var turns: [ChatTurn] = []
        /// Call id to the turn and the position in it.
        private var places: [String: (turn: Int, call: Int)] = [:]
        private var answered: Set<[Int]> = []

        mutating func add(_ item: ChatItem) {
            switch item {
            case .message(let message): add(message)
            case .toolCall(let call): add(call)
            case .toolResult(let result): add(result)
            }
        }

        private mutating func add(_ message: ChatMessage) {
            guard !message.text.isEmpty else { return }
            switch message.role {
            case .system: turns.append(.system(message.text))
            case .user: turns.append(.user(message.text))
            case .assistant: turns.append(.assistant(message.text, calls: []))
            case .tool: turns.append(.user("[update from a tool] " + message.text))
            }
        }

        private mutating func add(_ call: ToolCall) {
            let unknown = ToolResult(
                callID: call.id, name: call.name,
                content: "No result: it is not known whether this call had an effect.",
                isError: true, outcomeUnknown: true)
            let answered = AnsweredCall(call: call, result: unknown)
            if case .assistant(let text, var calls) = turns.last {
                calls.append(answered)
                turns[turns.count - 1] = .assistant(text, calls: calls)
                places[call.id] = (turns.count - 1, calls.count - 1)
            } else {
                turns.append(.assistant("", calls: [answered]))
                places[call.id] = (turns.count - 1, 0)
            }
        }

        private mutating func add(_ result: ToolResult) {
            guard let place = places[result.callID], answered.insert([place.turn, place.call]).inserted,
                case .assistant(let text, var calls) = turns[place.turn]
            else { return }
            calls[place.call].result = result
            turns[place.turn] = .assistant(text, calls: calls)
        }
    }
}
