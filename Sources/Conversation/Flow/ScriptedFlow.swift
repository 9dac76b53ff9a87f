/// The scripted lead qualification: one question after the other, with corrections, refusals and questions of the caller handled.
///
/// A pure function of where the flow stands and what the caller said, so a worker that takes a session over goes on in the middle.
package struct ScriptedFlow: Sendable {
    private let flow: LeadFlow

    /// Times a question is asked before the flow goes on without an answer.
    private static let maximumAttempts = 3
    /// Where a flow stands that has said goodbye.
    package static let closingNode = "closing"
    private static let lastKey = "last"

    package init(_ flow: LeadFlow) { self.flow = flow }

    /// The next step and what is said. `words` is what the caller said last, nil at the start of the call.
    package func next(_ position: FlowPosition, after words: String?) -> (FlowStep, String) {
        guard let words, !words.isEmpty else { return ask(position, [], prefix: position.node.isEmpty ? flow.opening : nil) }
        let asked = flow.slots.first { $0.name == position.node } ?? open(position).first
        let isRefusal = Phrases.isRefusal(words)
        if !isRefusal, let fixed = correction(words, asked, position) {
            return ask(position, [fixed], prefix: confirmation(fixed))
        }
        guard let asked else { return close(position, []) }
        if isRefusal {
            return ask(position, [SlotValue(slot: asked.name, value: "", words: words, refused: true)], prefix: "That's fine.")
        }
        if Phrases.asksBack(words, for: asked.kind) { return repeated(asked, position, flow.offTopic) }
        let values = answers(words, to: asked, position)
        if !values.isEmpty { return ask(position, values, prefix: confirmation(values[0])) }
        if Phrases.isQuestion(words) { return repeated(asked, position, flow.offTopic) }
        return repeated(asked, position, flow.notUnderstood)
    }

    // MARK: Reading answers

    /// The value of the asked slot, and of others that the caller mentioned with it ("John Smith from Acme").
    private func answers(_ words: String, to slot: LeadFlow.Slot, _ position: FlowPosition) -> [SlotValue] {
        guard let answer = AnswerReader.read(words, as: slot.kind) else { return [] }
        var values = [SlotValue(slot: slot.name, value: answer.value, words: words)]
        if let company = answer.company, let other = flow.slots.first(where: { $0.kind == .company }), other.name != slot.name,
            position.slots[other.name] == nil
        {
            values.append(SlotValue(slot: other.name, value: company, words: words))
        }
        return values
    }

    /// "No, Smith with a y", "actually it's fifty thousand": the slot that was filled last, or the one that is named.
    private func correction(_ words: String, _ asked: LeadFlow.Slot?, _ position: FlowPosition) -> SlotValue? {
        let named = named(in: words)
        guard let last = position.memory[Self.lastKey], let slot = named ?? flow.slots.first(where: { $0.name == last }),
            let old = position.slots[slot.name], !old.refused, let text = Phrases.correction(in: words)
        else { return nil }
        if let spelt = Spelling.apply(text, to: old.value) {
            return spelt == old.value ? nil : SlotValue(slot: slot.name, value: spelt, words: words)
        }
        guard !Phrases.isQuestion(text), named != nil || !answers(words, asked) && Phrases.mayName(text, words),
            let value = AnswerReader.read(text, as: slot.kind)?.value, value != old.value
        else { return nil }
        return SlotValue(slot: slot.name, value: value, words: words)
    }

    /// "No, fifty thousand" answers the question about money, whatever was said before it.
    private func answers(_ words: String, _ asked: LeadFlow.Slot?) -> Bool {
        switch asked?.kind {
        case .money, .time, .yesno: asked.map { AnswerReader.read(words, as: $0.kind) != nil } ?? false
        case .person, .company, .text, nil: false
        }
    }

    private func named(in words: String) -> LeadFlow.Slot? {
        let tokens = Phrases.tokens(words)
        return flow.slots.first { slot in tokens.contains(slot.name) && tokens.contains("my") }
    }

    // MARK: Speaking

    private func open(_ position: FlowPosition) -> [LeadFlow.Slot] { flow.slots.filter { position.slots[$0.name] == nil } }

    private func confirmation(_ value: SlotValue) -> String? {
        flow.slots.first { $0.name == value.slot }?.confirmation?.replacing("{value}", with: value.value)
    }

    private func ask(_ position: FlowPosition, _ values: [SlotValue], prefix: String?) -> (FlowStep, String) {
        var position = position
        for value in values { position.slots[value.slot] = value }
        if let first = values.first, !first.refused { position.memory[Self.lastKey] = first.slot }
        guard let slot = open(position).first else { return close(position, values, prefix: prefix) }
        var memory = position.memory
        memory["asked.\(slot.name)"] = "1"
        let text = [prefix, slot.question].compactMap { $0 }.joined(separator: " ")
        return (FlowStep(node: slot.name, memory: memory, filled: values), text)
    }

    private func repeated(_ slot: LeadFlow.Slot, _ position: FlowPosition, _ prefix: String) -> (FlowStep, String) {
        let attempts = (position.memory["asked.\(slot.name)"].flatMap { Int($0) } ?? 1) + 1
        if attempts > Self.maximumAttempts {
            let skipped = SlotValue(slot: slot.name, value: "", words: "", refused: true)
            return ask(position, [skipped], prefix: "Let's go on.")
        }
        var memory = position.memory
        memory["asked.\(slot.name)"] = String(attempts)
        return (FlowStep(node: slot.name, memory: memory), "\(prefix) \(slot.again ?? slot.question)")
    }

    private func close(_ position: FlowPosition, _ values: [SlotValue], prefix: String? = nil) -> (FlowStep, String) {
        let text = [prefix, flow.closing].compactMap { $0 }.joined(separator: " ")
        return (FlowStep(node: Self.closingNode, memory: position.memory, filled: values, ends: true), text)
    }
}
