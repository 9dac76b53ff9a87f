import SessionLog

/// A scripted flow that fills a record by asking for one slot after the other. It drives the conversation where there is no
/// language model, tells the model what to collect where there is one, and tells recognisers with grammars what comes next.
package struct LeadFlow: Sendable, Hashable {
    /// Name of the record, `lead`.
    package var record: String
    package var slots: [Slot]
    /// Said before the first question when the flow greets.
    package var opening: String?
    /// Said when every slot is filled or declined; the call ends after it.
    package var closing: String
    /// Said when the caller asks something that the flow cannot answer.
    package var offTopic: String
    /// Said when nothing was understood.
    package var notUnderstood: String

    package struct Slot: Sendable, Hashable {
        /// `name`, `company`, `need`, `budget`, `timeline`, or another.
        package var name: String
        package var kind: Kind
        package var question: String
        /// Asked the second time.
        package var again: String?
        /// Said when the answer is taken; `{value}` stands for it.
        package var confirmation: String?
        /// Grammar for recognisers that use one.
        package var grammar: String?
        package var required: Bool

        package init(
            name: String, kind: Kind, question: String, again: String? = nil, confirmation: String? = nil, grammar: String? = nil,
            required: Bool = true
        ) {
            self.name = name
            self.kind = kind
            self.question = question
            self.again = again
            self.confirmation = confirmation
            self.grammar = grammar
            self.required = required
        }
    }

    /// How an answer is read.
    package enum Kind: String, Sendable, Hashable, CaseIterable { case person, company, text, money, time, yesno }

    package init(
        record: String, slots: [Slot], opening: String? = nil, closing: String, offTopic: String, notUnderstood: String
    ) {
        self.record = record
        self.opening = opening
        self.slots = slots
        self.closing = closing
        self.offTopic = offTopic
        self.notUnderstood = notUnderstood
    }
}

/// Where a flow stands: everything that the next step depends on besides the conversation itself. Part of the log.
package struct FlowPosition: Sendable, Hashable {
    /// The slot asked last, `closing`, or empty before the first question.
    package var node: String
    /// The flow's own notes, e.g. how often a slot was asked.
    package var memory: [String: String]
    /// Slots that are filled (value) or declined (empty value, `refused`).
    package var slots: [String: SlotValue]

    package init(node: String = "", memory: [String: String] = [:], slots: [String: SlotValue] = [:]) {
        self.node = node
        self.memory = memory
        self.slots = slots
    }
}

/// A flow and where it stands.
package struct FlowContext: Sendable, Hashable {
    package var definition: LeadFlow
    package var position: FlowPosition
    /// The agent begins to speak: what was said before is no answer to this flow.
    package var isOpening: Bool

    package init(definition: LeadFlow, position: FlowPosition, isOpening: Bool = false) {
        self.definition = definition
        self.position = position
        self.isOpening = isOpening
    }
}

/// What is known of one slot.
package struct SlotValue: Sendable, Hashable {
    package var slot: String
    package var value: String
    /// The caller's words it came from.
    package var words: String
    package var refused: Bool

    package init(slot: String, value: String, words: String, refused: Bool = false) {
        self.slot = slot
        self.value = value
        self.words = words
        self.refused = refused
    }
}

/// What a step of a flow did besides speaking.
package struct FlowStep: Sendable, Hashable {
    package var node: String
    package var memory: [String: String]
    package var filled: [SlotValue]
    /// The call is over once this reply has been played.
    package var ends: Bool

    package init(node: String, memory: [String: String] = [:], filled: [SlotValue] = [], ends: Bool = false) {
        self.node = node
        self.memory = memory
        self.filled = filled
        self.ends = ends
    }
}

extension FlowPosition {
    /// Where the log says that the flow stands.
    init(state: SessionState) {
        self.init(node: state.flow?.node ?? "", memory: state.flow?.memory ?? [:])
        for (key, filled) in state.slots {
            slots[key.slot] = SlotValue(slot: key.slot, value: filled.value, words: filled.words, refused: filled.refused)
        }
    }
}
