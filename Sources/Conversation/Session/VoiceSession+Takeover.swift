import Audio
import Foundation
import Logging
import NIOCore
import SessionLog
import SwiftProtobuf

/// A new owner goes on where the log ends: with the reply that was being spoken, the tools that ran, the turn that nobody has answered.
extension VoiceSession {
    /// The client has said who it is, or the conversation has begun without that.
    var hasBegun: Bool {
        state.lastReply > 0 || state.lastTurn > 0 || state.legs[identity.leg]?.latest?.handshake.isEmpty == false
    }

    func takeOver() {
        notifyResumable()
        let calls = state.pendingToolCalls
        var repeated: [ReplyNumber: [SessionState.ToolCallState]] = [:]
        for call in calls {
            if mayRunAgain(call) { repeated[call.called.reply, default: []].append(call) } else { giveUp(call) }
        }
        for reply in state.unfinishedReplies { goOn(with: reply, repeating: repeated[reply.number]?.count ?? 0) }
        for call in repeated.values.joined() { runAgain(call) }
        guard isLive else { return }
        if let turn = state.unansweredTurn {
            handle(.resumed(nil, isHeard: false, interruptible: true))
            answer(turn.turn, speechEnd: nil)
        } else if missesWords {
            askAgain()
        } else if state.lastReply == 0 {
            greet()
        }
    }

    func notifyResumable() {
        guard let start, !start.resumeToken.isEmpty else { return }
        port.notify(.resumable(token: start.resumeToken, windowSeconds: Int(start.window.components.seconds)))
    }

    // MARK: Replies

    private func goOn(with known: ReplyState, repeating: Int) {
        let number = known.number
        let delivered = start?.delivered
        // Replies are heard in order: one behind it has been heard whole.
        if let delivered, delivered.reply > number { return logWhole(known) }
        let isTextOnly = known.started?.textOnly ?? false
        let progress = known.progress.map { SessionTime(samples: $0) }
        let point =
            isTextOnly
            ? ResumePoint(written: known) : ResumePoint(known, delivered: delivered?.reply == number ? delivered?.position : progress)
        if repeating == 0, known.isComplete, point.sentence == known.sentences.count { return ended(known, at: point) }
        log(point.event(of: number))
        heardBefore[number] = point.heard
        replies[number] = makeReply(known, from: point, repeating: repeating)
        port.notify(.replyResumed(number, spoken: known.sentences.prefix(point.sentence).map(\.text).joined(separator: " ")))
        if !isTextOnly { playout.begin(number, position: point.position) }
        handle(.resumed(number, isHeard: point.hasBegun, interruptible: replies[number]?.interruptible ?? true))
        pump(number)
        if replies[number]?.isComplete == false, repeating == 0 { generate(number) }
    }

    private func makeReply(_ known: ReplyState, from point: ResumePoint, repeating: Int) -> Reply {
        let kind = Reply.Kind(known.started?.kind ?? .replyAnswer)
        var reply = Reply(
            number: known.number, kind: kind, turn: known.started?.turn ?? 0, phase: .committed, basis: "", splitter: SentenceSplitter(),
            speech: SpeechText(options: .init(replacements: agent.pronunciation)))
        reply.sentences = known.sentences.map(\.text)
        reply.logged = reply.sentences.count
        reply.spoken = point.sentence
        reply.played = point.sentence
        if point.sentence < reply.logged, point.isWithinSentence || point.remaining != reply.sentences[point.sentence] {
            reply.remainder = (point.sentence, point.remaining)
        }
        if !known.isComplete, let whole = writtenText(of: kind) {
            reply.sentences += sentences(of: whole).dropFirst(reply.logged)
            reply.isComplete = true
        } else {
            reply.isComplete = known.isComplete
        }
        reply.isContinued = !reply.isComplete && (!known.sentences.isEmpty || state.flowReply == known.number)
        reply.isTextOnly = known.started?.textOnly ?? false
        reply.interruptible = kind != .greeting || agent.greeting?.interruptible ?? true
        reply.step = min(state.toolCalls.count { $0.called.reply == known.number }, agent.limits.maxToolSteps)
        reply.runningTools = repeating
        reply.ends = end(of: known.number)
        reply.handOff = handOff(in: known.number)
        return reply
    }

    /// What a reply says that no model writes.
    private func writtenText(of kind: Reply.Kind) -> String? {
        switch kind {
        case .answer: nil
        case .greeting: agent.greeting?.say
        case .say: agent.idlePrompt
        case .apology: agent.apology
        }
    }

    private func sentences(of text: String) -> [String] {
        var speech = SpeechText(options: .init(replacements: agent.pronunciation))
        var splitter = SentenceSplitter()
        var sentences = splitter.append(speech.append(text))
        sentences += splitter.append(speech.finish())
        sentences += splitter.finish()
        return sentences.filter(SpeechText.isSpeakable)
    }

    /// All of it reached the caller, but its owner could not say so any more.
    private func ended(_ reply: ReplyState, at point: ResumePoint) {
        logWhole(reply, samples: point.position)
        if let handOff = handOff(in: reply.number) {
            take(handOff)
            introduce()
        }
        if let reason = end(of: reply.number) { close(reason) }
    }

    private func logWhole(_ reply: ReplyState, samples: SessionTime = .zero) {
        log(
            .heard(
                .with {
                    $0.reply = reply.number
                    $0.samples = samples.samples
                    $0.text = reply.text
                    $0.complete = true
                }))
    }

    /// Why the call is over once the reply has been heard, as its tools or the flow have it.
    private func end(of reply: ReplyNumber) -> EndReason? {
        if succeeded(.transfer, in: reply) != nil { return .transferred }
        let isClosing = state.flowReply == reply && state.flow?.node == ScriptedFlow.closingNode
        return isClosing || succeeded(.endCall, in: reply) != nil ? .completed : nil
    }

    private func handOff(in reply: ReplyNumber) -> HandOff? {
        guard let call = succeeded(.handOff, in: reply), let wanted = try? JSONDecoder().decode(HandOff.self, from: Data(call.arguments.utf8)),
            wanted.agent != agent.name, handOffs[wanted.agent] != nil
        else { return nil }
        return wanted
    }

    private func succeeded(_ tool: BuiltInTool, in reply: ReplyNumber) -> SessionState.ToolCallState? {
        state.toolCalls.last { $0.called.reply == reply && $0.name == tool.rawValue && $0.outcome == .succeeded }
    }

    // MARK: Tools

    /// Whether the call ran is not known; it may be made again where that does no harm.
    private func mayRunAgain(_ call: SessionState.ToolCallState) -> Bool {
        call.called.idempotent && offeredTools.contains { $0.name == call.name && $0.implementation != .builtIn }
    }

    private func runAgain(_ state: SessionState.ToolCallState) {
        guard isLive, let configuration = offeredTools.first(where: { $0.name == state.name }) else { return }
        let call = ToolCall(id: state.id, name: state.name, arguments: state.arguments)
        openCalls.append(OpenCall(call: call, reply: state.called.reply, began: clock))
        runOutside(call, configuration, state.called.idempotencyKey)
    }

    /// At most once: the model and the log are told that nobody knows.
    private func giveUp(_ state: SessionState.ToolCallState) {
        let call = ToolCall(id: state.id, name: state.name, arguments: state.arguments)
        logResult(of: call, .init(.unknown, content: "the worker died while it ran"), milliseconds: 0)
    }
}

extension Reply.Kind {
    init(_ kind: ReplyKind) {
        switch kind {
        case .replyAnswer, .UNRECOGNIZED: self = .answer
        case .replyGreeting: self = .greeting
        case .replySay: self = .say
        case .replyApology: self = .apology
        }
    }
}

extension ChatContext {
    /// What a model is told that has to finish what another request of it began.
    package static let continuation = """
        [Your last message was cut off by a technical problem. Continue it exactly where it ends. Do not repeat anything, do not \
        apologise, do not mention this. If it was complete, answer only: END]
        """

    /// Asks for the rest of a message; behind the result of a tool the model goes on by itself.
    mutating func askToContinue() {
        guard case .message(let message) = items.last, message.role == .assistant else { return }
        append(.message(ChatMessage(.user, Self.continuation)))
    }

    static func saysThatItWasComplete(_ sentence: String) -> Bool {
        sentence.filter(\.isLetter) == "END"
    }
}
