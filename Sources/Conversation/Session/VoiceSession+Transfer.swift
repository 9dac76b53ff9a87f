import Foundation
import NIOCore
import SessionLog

/// A transfer of the caller that the agent has asked for.
struct Transfer {
    let call: ToolCall
    /// The reply that asked for it.
    let reply: ReplyNumber
    /// Name of the target.
    let name: String
    let uri: String
    /// The backend is at it.
    var isUnderWay = false
    /// Why the caller has left since.
    var departure: String?
}

/// What the `transfer` tool was called with.
private struct TransferArguments: Decodable {
    var target: String
}

/// The caller is put through to a person or another service, and the session ends. It happens when what the agent says with it has been heard; a
/// caller who interrupts that keeps the agent. When it fails the agent is told, and goes on.
extension VoiceSession {
    /// Longer than a backend rings.
    private static let transferPatience = TimeAmount.seconds(60)

    /// Why a transfer cannot be tried; nil: it can, once its call is stored.
    func refusal(ofTransfer call: ToolCall) -> ToolOutcomeReport? {
        guard let wanted = target(of: call) else {
            return .init(.failed, content: #"the arguments of transfer must be like {"target": "name"}"#)
        }
        guard agent.transfers[wanted] != nil else {
            return .init(.failed, content: "there is no target '\(wanted)'; there are: \(agent.transfers.keys.sorted().joined(separator: ", "))")
        }
        let isRepeated = openCalls.contains { $0.call.name == call.name && $0.call.id != call.id }
        return isRepeated ? .init(.failed, content: "a transfer is under way already") : nil
    }

    private func target(of call: ToolCall) -> String? {
        (try? JSONDecoder().decode(TransferArguments.self, from: Data(call.arguments.utf8)))?.target
    }

    /// The call is stored.
    func prepareTransfer(_ call: ToolCall) {
        guard isLive, let open = openCalls.first(where: { $0.call.id == call.id }), let name = target(of: call),
            let target = agent.transfers[name]
        else { return }
        transfer = Transfer(call: call, reply: open.reply, name: name, uri: target.uri)
        transferWhenHeard()
    }

    /// Begins a transfer that waits, if its time has come.
    func transferWhenHeard() {
        guard isLive, let wanted = transfer, !wanted.isUnderWay else { return }
        guard let reply = replies[wanted.reply], reply.runningTools > 0 else {
            transfer = nil
            return returned(wanted.call, .init(.cancelled, content: "the caller interrupted before the transfer began"))
        }
        guard committedReplies.first == wanted.reply, reply.isTextOnly || reply.played == reply.sentences.count,
            let index = openCalls.firstIndex(where: { $0.call.id == wanted.call.id })
        else { return }
        transfer?.isUnderWay = true
        openCalls[index].awaited = eventLoop.scheduleTask(in: Self.transferPatience) { [weak self] in
            _ = self?.assumeIsolated { $0.transferEnded(wanted.call, .init(.unknown, content: "nothing was heard of the transfer")) }
        }
        let eventLoop = eventLoop
        let answer: @Sendable (String?) -> Void = { [weak self] problem in
            let report = problem.map { ToolOutcomeReport(.failed, content: "The caller was not transferred: \($0).") }
            self?.assumeIsolated { $0.transferEnded(wanted.call, report ?? .init(.succeeded, content: #"{"transferred":true}"#)) }
        }
        port.transfer(to: wanted.uri) { problem in
            eventLoop.execute { answer(problem) }
        }
        port.flush()
    }

    private func transferEnded(_ call: ToolCall, _ report: ToolOutcomeReport) {
        guard isLive, let ended = transfer, ended.call.id == call.id else { return }
        transfer = nil
        let hasWorked = report.outcome == .succeeded
        // The model has nothing more to say.
        if hasWorked || ended.departure != nil { replies[ended.reply]?.runningTools = 0 }
        returned(call, report)
        if hasWorked { return close(.transferred, detail: ended.name) }
        if let departure = ended.departure { clientDisconnected(departure) }
    }
}
