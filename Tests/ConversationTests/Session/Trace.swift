import Audio
import Conversation
import SessionLog

/// Everything that leaves a session, in order, as short lines: `log …`, `audio 2`, `clear 2`, `notice …`, `llm …`, `tts …`, `stt …`.
///
/// Unchecked because it is confined to the loop of its session.
final class Trace: @unchecked Sendable {
    private(set) var lines: [String] = []

    func add(_ line: String) {
        // A reply's frames are one line.
        if line.hasPrefix("audio "), lines.last == line { return }
        lines.append(line)
    }
}

/// A journal in memory whose appends are in the trace.
final class TracedJournal: SessionJournal {
    let memory: MemoryJournal
    private let trace: Trace

    init(trace: Trace, holdsBack: Bool, after events: [Event] = []) {
        self.trace = trace
        memory = MemoryJournal(
            fence: (events.last?.fence ?? 0) + 1, firstSequence: (events.last?.sequence ?? 0) + 1, holdsBack: holdsBack)
    }

    func append(_ body: Event.OneOf_Body, position: SessionTime, leg: UInt32) -> Event {
        trace.add("log " + body.line)
        return memory.append(body, position: position, leg: leg)
    }
    func whenSettled(_ sequence: UInt64, _ callback: @escaping @Sendable (StorageOutcome) -> Void) {
        memory.whenSettled(sequence, callback)
    }
    func close() {
        trace.add("log closes")
        memory.close()
    }
    func abandon() {
        trace.add("journal abandoned")
        memory.abandon()
    }
}

extension Event.OneOf_Body {
    /// What the event says, without what tests do not look at.
    var line: String {
        switch self {
        case .opened: "opened"
        case .attached: "attached"
        case .detached: "detached"
        case .claimed: "claimed"
        case .userTurn(let turn): "turn \(turn.turn) '\(turn.text)'"
        case .userPartial(let partial): "partial '\(partial.text)'"
        case .replyStarted(let reply): "reply \(reply.reply) to \(reply.turn)"
        case .sentence(let sentence): "sentence \(sentence.reply).\(sentence.index) \(sentence.text)"
        case .sentenceAudio(let audio): "length \(audio.reply).\(audio.index) \(audio.samples)"
        case .heard(let heard):
            "heard \(heard.reply) '\(heard.text)'" + (heard.complete ? " complete" : "")
                + (heard.interrupted ? " interrupted" : "")
                + (heard.complete || heard.interrupted ? "" : " goes on at \(heard.nextSentence) '\(heard.remaining)'")
        case .replyWritten(let written): "written \(written.reply) \(written.sentences)"
        case .replyProgress(let progress): "progress \(progress.reply) \(progress.samples)"
        case .toolCalled(let call): "tool_called \(call.call) \(call.name)"
        case .toolReturned(let result): "tool_returned \(result.call) \(result.outcome) \(result.content)"
        case .handedOff(let handOff): "handed_off \(handOff.from) to \(handOff.to) \(handOff.agentHash)"
        case .slotFilled(let slot):
            slot.refused ? "slot \(slot.slot) refused" : "slot \(slot.slot) '\(slot.value)' by \(slot.source)"
        case .flowMoved(let flow): "flow \(flow.node)"
        case .dtmf(let dtmf): "dtmf \(dtmf.digits)"
        case .command(let command): "command \(command.kind)"
        case .latency: "latency"
        case .usage(let usage): "usage \(usage.kind)" + (usage.wasted ? " wasted" : "")
        case .error(let error): "error \(error.component) \(error.code)" + (error.fatal ? " fatal" : "")
        case .closed(let closed): "closed \(closed.reason)"
        }
    }
}
