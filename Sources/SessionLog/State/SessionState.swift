package import Audio

/// What a session is, as a fold of its log: `events.reduce(into: SessionState()) { $0.apply($1) }`.
///
/// Every prefix of a log folds. An event that comes twice changes nothing; one with a fence below the highest seen changes nothing; one
/// with a body from a newer version is counted and otherwise left alone (whoever copies the log copies its bytes).
package struct SessionState: Sendable, Hashable {
    // MARK: Header

    /// What the session was opened with; nil before the first event.
    package private(set) var opened: Opened?
    /// Id of the worker that claimed it last; empty before the first claim.
    package private(set) var owner = ""
    /// The highest fence seen.
    package private(set) var fence: UInt64 = 0
    /// Sequence of the next event of this fence.
    package private(set) var nextSequence: UInt64 = 1
    /// Why and by whom the session was closed; nil while it is open.
    package private(set) var closed: Closed?
    /// Session time of the latest event.
    package private(set) var position = SessionTime.zero

    // MARK: Conversation

    package internal(set) var legs: [UInt32: LegState] = [:]
    /// User turns, replies and tool calls, in the order in which they began.
    package var history: [HistoryEntry] { order.compactMap(entry) }
    package internal(set) var userTurns: [UserTurn] = []
    package internal(set) var slots: [SlotKey: SlotFilled] = [:]
    package internal(set) var flow: FlowMoved?
    /// The reply in which the flow moved last; 0 before the first.
    package internal(set) var flowReply: UInt32 = 0
    package internal(set) var handOffs: [HandedOff] = []
    package internal(set) var dtmf = ""
    package internal(set) var failures: [Failure] = []
    package internal(set) var usage: [UsageKey: UsageTotal] = [:]
    /// Ids of the commands that the log holds, so that one that comes again is not carried out again.
    package internal(set) var commands: [String: CommandReceived] = [:]
    /// What the caller has said since the last turn, as last recognised; nil when that is nothing.
    package internal(set) var partial: UserPartial?

    // MARK: What the fold could not use

    /// Events with bodies that this build does not know.
    package private(set) var unknownEvents = 0
    /// Events that came twice or with a fence that was no longer the highest.
    package private(set) var ignoredEvents = 0

    var order: [HistoryReference] = []
    var repliesByNumber: [UInt32: ReplyState] = [:]
    var toolCallsByID: [String: ToolCallState] = [:]

    package init() {}

    /// The fold of a log, or of any prefix of it.
    package init(_ events: some Sequence<Event>) {
        for event in events { apply(event) }
    }

    /// Folds one more event in.
    package mutating func apply(_ event: Event) {
        guard isNew(event.id) else {
            ignoredEvents += 1
            return
        }
        fence = event.fence
        nextSequence = event.sequence + 1
        position = max(position, SessionTime(samples: event.position))
        guard let body = event.body else {
            if event.isUnknown { unknownEvents += 1 }
            return
        }
        apply(body, leg: event.leg)
    }

    private func isNew(_ id: Event.ID) -> Bool {
        id.fence > fence || (id.fence == fence && id.sequence >= nextSequence)
    }

    private mutating func apply(_ body: Event.OneOf_Body, leg: UInt32) {
        switch body {
        case .opened(let value): if opened == nil { opened = value }
        case .claimed(let value): owner = value.worker
        case .closed(let value): if closed == nil { closed = value }
        case .attached(let value): legs[leg, default: LegState()].attach(value)
        case .detached(let value): legs[leg, default: LegState()].detach(value)
        case .userTurn(let value):
            apply(value)
            legs[leg, default: LegState()].cover(through: value.through)
        case .userPartial(let value): partial = value
        case .replyStarted(let value): apply(value)
        case .sentence(let value): changeReply(value.reply) { $0.add(value) }
        case .sentenceAudio(let value): changeReply(value.reply) { $0.add(value) }
        case .heard(let value): changeReply(value.reply) { $0.add(value) }
        case .replyProgress(let value): changeReply(value.reply) { $0.add(value) }
        case .replyWritten(let value): changeReply(value.reply) { $0.add(value) }
        case .toolCalled(let value): apply(value)
        case .toolReturned(let value): toolCallsByID[value.call]?.returned = value
        case .handedOff(let value): handOffs.append(value)
        case .slotFilled(let value): slots[SlotKey(record: value.record, slot: value.slot)] = value
        case .flowMoved(let value):
            flow = value
            flowReply = lastReply
        case .dtmf(let value):
            dtmf += value.digits
            legs[leg, default: LegState()].press(through: value.through)
        case .command(let value): if commands[value.command] == nil { commands[value.command] = value }
        case .latency: break
        case .usage(let value): usage[UsageKey(value), default: UsageTotal()].add(value)
        case .error(let value): failures.append(value)
        }
    }
}

extension SessionState {
    /// A slot of a record, for example `lead` and `company`.
    package struct SlotKey: Hashable, Sendable {
        package var record: String
        package var slot: String

        package init(record: String, slot: String) {
            self.record = record
            self.slot = slot
        }
    }

    package var isClosed: Bool { closed != nil }

    /// Slots of one record that were filled or refused, by name.
    package func slots(of record: String) -> [String: SlotFilled] {
        slots.reduce(into: [:]) { result, entry in
            if entry.key.record == record { result[entry.key.slot] = entry.value }
        }
    }

    /// The agent version that the session pins now: that of the last hand-off which named one, else that of the opening.
    package var agentHash: String {
        handOffs.last { !$0.agentHash.isEmpty }?.agentHash ?? opened?.agentHash ?? ""
    }
}
