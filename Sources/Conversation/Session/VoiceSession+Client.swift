import Audio
import Foundation
import NIOCore
import SessionLog
import SwiftProtobuf

/// What the client's program asks and answers.
extension VoiceSession {
    // MARK: Tools that the client runs

    /// The call is stored: now the client may run it. It has the tool's timeout.
    func requestOfClient(_ call: ToolCall, _ configuration: ToolConfiguration) {
        guard isLive, let index = openCalls.firstIndex(where: { $0.call.id == call.id }) else { return }
        let milliseconds = configuration.timeoutMilliseconds
        let deadline = eventLoop.scheduleTask(in: .milliseconds(Int64(milliseconds))) { [weak self] in
            _ = self?.assumeIsolated { session in
                session.returned(call, .init(.unknown, content: "the client did not answer within \(milliseconds) ms"))
            }
        }
        openCalls[index].awaited = deadline
        port.notify(.toolRequested(name: call.name, call: call.id, arguments: call.arguments))
        port.flush()
    }

    /// The client says what came of a call. An answer that nobody waits for changes nothing.
    func clientReturned(_ id: String, _ content: String) {
        guard let open = openCalls.first(where: { $0.call.id == id && $0.awaited != nil }) else {
            // What another owner has logged may come again.
            if state.toolCalls.contains(where: { $0.id == id && $0.returned?.content == content }) { return }
            return port.notify(.error(message: "no tool call '\(id)' is waiting for the client", fatal: false))
        }
        guard content.utf8.count <= Self.longestToolResult else {
            let problem = "the client's result has \(content.utf8.count) bytes; at most \(Self.longestToolResult) are taken"
            return returned(open.call, .init(.failed, content: problem))
        }
        returned(open.call, .init(.succeeded, content: content))
    }

    /// As of other tools.
    private static let longestToolResult = 64 << 10

    // MARK: Questions

    /// The answers are bounded: the oldest contributions are left out.
    private static let longestTranscript = 256 << 10

    func answer(request type: String, id: String) {
        switch type {
        case "transcript": port.notify(.response(id: id, type: type, json: transcript()))
        case "state": port.notify(.response(id: id, type: type, json: stateSummary()))
        default: port.notify(.errorResponse(id: id, message: "Unsupported type '\(type)'; this agent answers 'transcript' and 'state'"))
        }
    }

    private struct Contribution: Encodable {
        var role: String
        var text: String
        /// Milliseconds of the conversation.
        var time: Int64
        var interrupted: Bool
    }

    /// What was said so far, oldest first: a list of role, text, time (ms of the conversation) and interrupted.
    private func transcript() -> String {
        var length = 0
        let contributions = contributions().reversed().prefix {
            length += $0.text.utf8.count + 100
            return length <= Self.longestTranscript
        }
        return json(Array(contributions.reversed()))
    }

    private func contributions() -> [Contribution] {
        var time: Int64 = 0
        return state.history.compactMap { entry in
            switch entry {
            case .userTurn(let turn):
                time = max(time, SessionTime(samples: turn.speechStart).milliseconds)
                return Contribution(role: "user", text: turn.text, time: time, interrupted: false)
            case .reply(let reply):
                guard !reply.textForContext.isEmpty else { return nil }
                time = max(time, reply.startedAt.milliseconds)
                return Contribution(role: "agent", text: reply.textForContext, time: time, interrupted: reply.isInterrupted)
            case .toolCall: return nil
            }
        }
    }

    private struct Summary: Encodable {
        var session: String
        var agent: String
        var state: String
        /// Milliseconds of the conversation.
        var time: Int64
        var user_turns: Int
        var agent_turns: Int
    }

    private func stateSummary() -> String {
        let name =
            if playout.currentReply != nil { "speaking" } else if replies.values.contains(where: \.isCommitted) { "thinking" } else { "listening" }
        return json(
            Summary(
                session: identity.session, agent: agent.name, state: name, time: now.milliseconds, user_turns: state.userTurns.count,
                agent_turns: state.replies.count))
    }

    private func json(_ value: some Encodable) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Texts, numbers and lists of them always encode.
        return ((try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) }) ?? "null"
    }

    // MARK: What was said before

    /// Writes an earlier conversation into the log, as turns that were answered and replies that were heard.
    func take(history messages: [HistoryMessage]) {
        guard state.userTurns.isEmpty else {
            return port.notify(.error(message: "what was said before can be told only before the caller's first turn", fatal: false))
        }
        for message in messages where message.text.contains(where: { !$0.isWhitespace }) {
            if message.isAgent { logEarlierReply(message.text) } else { logEarlierTurn(message.text) }
        }
    }

    private func logEarlierTurn(_ text: String) {
        let turn = nextTurn
        nextTurn += 1
        log(.userTurn(.with {
            $0.turn = turn
            $0.text = text
            $0.input = .inputText
            $0.speechStart = now.samples
            $0.speechEnd = now.samples
            $0.confidence = 1
            $0.language = agent.language
            $0.endedBy = "history"
        }))
    }

    private func logEarlierReply(_ text: String) {
        let number = nextReply
        nextReply += 1
        let turn = nextTurn - 1
        log(.replyStarted(.with {
            $0.reply = number
            $0.turn = turn
            $0.languageModel = "history"
            $0.textOnly = true
        }))
        log(.sentence(.with {
            $0.reply = number
            $0.text = text
            $0.last = true
        }))
        log(.heard(.with {
            $0.reply = number
            $0.text = text
            $0.complete = true
        }))
    }
}
