import Foundation
import SessionLog

/// From events to rows. Pure, and independent of the order and the batches in which events arrive: a row either is one event, or
/// follows the newest event of a kind, or counts events that are new, or (replies) is computed from all their events together.
struct Projection {
    private var toolCalls: [ToolCallKey: ToolCallChange] = [:]
    private var leads: [LeadKey: LeadRow] = [:]
    private var changes = RowChanges()

    private struct ToolCallKey: Hashable {
        let session: SessionKey
        let call: String
    }

    private struct LeadKey: Hashable {
        let session: SessionKey
        let record, slot: String
    }

    /// What events change.
    ///
    /// - Parameters:
    ///   - new: events that are new to the tables, each once, in any order.
    ///   - replies: for every reply that one of them shapes, all its events, those stored before included.
    static func changes(new: [ArchivedEvent], replies: [ReplyKey: [ArchivedEvent]]) -> RowChanges {
        var projection = Projection()
        // Normally they are in order; then what is one row an event comes in the order of its table, and a conversation in one piece.
        for event in new.sorted(by: { $0.key < $1.key }) { projection.add(event) }
        for events in replies.values { projection.changes.turns += ReplyProjection.turns(events) }
        return projection.finished()
    }

    private func finished() -> RowChanges {
        var changes = changes
        changes.toolCalls = toolCalls.values.sorted { ($0.session, $0.call) < ($1.session, $1.call) }
        changes.leads = leads.values.sorted { $0.key < $1.key }
        changes.turns.sort { $0.key < $1.key }
        return changes
    }

    private mutating func add(_ event: ArchivedEvent) {
        count(event)
        switch event.event.body {
        case .userTurn(let turn): changes.turns.append(TurnRow(turn, event))
        case .toolCalled(let call): add(call, event)
        case .toolReturned(let answer): add(answer, event)
        case .slotFilled(let slot): add(slot, event)
        case .latency(let latency): changes.latency += LatencyRow.rows(latency, event)
        case .usage(let usage): changes.usage.append(UsageRow(usage, event))
        case .opened, .attached, .detached, .claimed, .userPartial, .replyStarted, .replyProgress, .replyWritten, .sentence, .sentenceAudio, .heard,
            .handedOff, .flowMoved, .dtmf, .command, .error, .closed, nil:
            break
        }
    }

    private mutating func count(_ event: ArchivedEvent) {
        var last = changes.conversations.count - 1
        if last < 0 || changes.conversations[last].key != event.key.session {
            changes.conversations.append(ConversationChange(key: event.key.session, tenant: event.tenant))
            last += 1
        }
        changes.conversations[last].count(event)
    }

    private mutating func add(_ call: ToolCalled, _ event: ArchivedEvent) {
        let value = ToolCallChange.Call(
            name: call.name.storable, arguments: call.arguments.storable, reply: Int64(call.reply),
            idempotent: call.idempotent, sideEffects: call.sideEffects, at: event.wallClock)
        changeToolCall(call.call, event) {
            $0.called = .merge($0.called, Newest(position: event.key.position, value: value))
        }
    }

    private mutating func add(_ answer: ToolReturned, _ event: ArchivedEvent) {
        let value = ToolCallChange.Return(
            outcome: answer.outcome.columnText, content: answer.content.storable, duration: answer.durationMs,
            at: event.wallClock)
        changeToolCall(answer.call, event) {
            $0.returned = .merge($0.returned, Newest(position: event.key.position, value: value))
        }
    }

    private mutating func changeToolCall(
        _ call: String, _ event: ArchivedEvent, _ change: (inout ToolCallChange) -> Void
    ) {
        let key = ToolCallKey(session: event.key.session, call: call.storable)
        let empty = ToolCallChange(session: key.session, call: key.call, tenant: event.tenant)
        change(&toolCalls[key, default: empty])
    }

    private mutating func add(_ slot: SlotFilled, _ event: ArchivedEvent) {
        let row = LeadRow(
            key: event.key, tenant: event.tenant, record: slot.record.storable, slot: slot.slot.storable,
            value: slot.value.storable, words: slot.words.storable, source: slot.source.storable,
            turn: slot.turn == 0 ? nil : Int64(slot.turn), refused: slot.refused, at: event.wallClock)
        let key = LeadKey(session: event.key.session, record: row.record, slot: row.slot)
        if let known = leads[key], known.key.position > row.key.position { return }
        leads[key] = row
    }
}

extension ConversationChange {
    /// Takes account of one new event.
    fileprivate mutating func count(_ event: ArchivedEvent) {
        events += 1
        lastEventAt = max(lastEventAt, event.wallClock)
        duration = max(duration, event.positionMilliseconds)
        let position = event.key.position
        switch event.event.body {
        case .opened(let opened):
            opening = .merge(opening, Newest(position: position, value: Opening(opened, at: event.wallClock)))
            follow(Agent(name: opened.agent.storableIfAny, hash: opened.agentHash.storableIfAny), position)
        case .claimed(let claimed):
            claims += 1
            worker = .merge(worker, Newest(position: position, value: claimed.worker.storable))
        case .handedOff(let handOff):
            follow(Agent(name: handOff.to.storableIfAny, hash: handOff.agentHash.storableIfAny), position)
        case .userTurn:
            userTurns += 1
            firstSpokeAt = min(firstSpokeAt ?? .max, event.wallClock)
        case .replyStarted: agentTurns += 1
        case .heard(let heard): interruptions += heard.interrupted ? 1 : 0
        case .toolCalled: toolCalls += 1
        case .error: errors += 1
        case .closed(let closed):
            let value = Closing(
                at: event.wallClock, reason: closed.reason.storable, detail: closed.detail.storableIfAny,
                by: closed.by.storableIfAny)
            closing = .merge(closing, Newest(position: position, value: value))
        case .attached, .detached, .userPartial, .replyProgress, .replyWritten, .sentence, .sentenceAudio, .toolReturned, .slotFilled, .flowMoved,
            .dtmf,
            .command, .latency, .usage, nil:
            break
        }
    }

    private mutating func follow(_ agent: Agent, _ position: LogPosition) {
        self.agent = .merge(self.agent, Newest(position: position, value: agent))
    }
}

extension ConversationChange.Opening {
    fileprivate init(_ opened: Opened, at: Int64) {
        let pairs = opened.parameters.map { ($0.key.storable, $0.value.storable) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        let json = try? encoder.encode(Dictionary(pairs, uniquingKeysWith: { first, _ in first }))
        self.init(
            region: opened.region.storableIfAny, backend: opened.backend.storableIfAny,
            direction: opened.direction.storableIfAny, parameters: json.map { String(decoding: $0, as: UTF8.self) },
            retentionDays: opened.retentionDays == 0 ? nil : Int64(opened.retentionDays), at: at)
    }
}

extension TurnRow {
    fileprivate init(_ turn: UserTurn, _ event: ArchivedEvent) {
        self.init(
            key: event.key, tenant: event.tenant, leg: Int64(event.event.leg), role: .user, number: Int64(turn.turn),
            kind: turn.input.columnText, at: event.wallClock, started: ArchivedEvent.milliseconds(turn.speechStart),
            text: turn.text.storable, applied: event.key.position)
        ended = ArchivedEvent.milliseconds(turn.speechEnd)
        complete = true
        confidence = turn.confidence.isFinite ? Double(turn.confidence) : nil
        language = turn.language.storableIfAny
        endedBy = turn.endedBy.storableIfAny
        provider = turn.speechToText.storableIfAny
    }
}

extension UsageRow {
    fileprivate init(_ usage: Usage, _ event: ArchivedEvent) {
        self.init(
            key: event.key, tenant: event.tenant, kind: usage.kind.storable, provider: usage.provider.storable,
            audioSeconds: usage.audioSeconds.isFinite ? usage.audioSeconds : 0, inputTokens: usage.inputTokens,
            cachedInputTokens: usage.cachedInputTokens, outputTokens: usage.outputTokens, characters: usage.characters,
            wasted: usage.wasted, at: event.wallClock)
    }
}

extension LatencyRow {
    /// A negative value means that the part did not happen.
    fileprivate static func rows(_ latency: Latency, _ event: ArchivedEvent) -> [LatencyRow] {
        latency.parts.sorted { $0.key < $1.key }.filter { $0.value.isFinite && $0.value >= 0 }.map { part, value in
            LatencyRow(
                key: event.key, tenant: event.tenant, part: part.storable, turn: Int64(latency.turn),
                reply: Int64(latency.reply), milliseconds: value, speculative: latency.speculative,
                interruption: latency.interruption.storableIfAny, at: event.wallClock)
        }
    }
}

extension InputKind {
    fileprivate var columnText: String {
        switch self {
        case .inputSpeech: "speech"
        case .inputText: "text"
        case .inputDtmf: "dtmf"
        case .UNRECOGNIZED(let value): "kind_\(value)"
        }
    }
}

extension ToolOutcome {
    fileprivate var columnText: String {
        switch self {
        case .toolSucceeded: "succeeded"
        case .toolFailed: "failed"
        case .toolUnknown: "unknown"
        case .toolCancelled: "cancelled"
        case .UNRECOGNIZED(let value): "outcome_\(value)"
        }
    }
}
