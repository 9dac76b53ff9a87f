import Conversation
import Testing

@Suite struct ScriptedFlowTests {
    private let flow = LeadFlow(
        record: "lead",
        slots: [
            .init(name: "name", kind: .person, question: "Name?", again: "Your name, please?", confirmation: "Hello {value}."),
            .init(name: "company", kind: .company, question: "Company?"), .init(name: "need", kind: .text, question: "Need?"),
            .init(name: "budget", kind: .money, question: "Budget?"), .init(name: "timeline", kind: .time, question: "When?"),
        ], opening: "Welcome.", closing: "Goodbye.", offTopic: "Ask my colleague.", notUnderstood: "Pardon?")

    /// Runs a conversation and returns where it ends and what was said.
    private func talk(_ words: [String]) -> (FlowPosition, [String], Bool) {
        var position = FlowPosition()
        var said: [String] = []
        var ends = false
        for line in [nil] + words.map(Optional.some) {
            let (step, text) = ScriptedFlow(flow).next(position, after: line)
            for slot in step.filled { position.slots[slot.slot] = slot }
            position.node = step.node
            position.memory = step.memory
            ends = step.ends
            said.append(text)
        }
        return (position, said, ends)
    }

    @Test func fiveAnswersFillFiveSlotsAndEndTheCall() {
        let (position, said, ends) = talk([
            "hi my name is sarah miller", "i work for northern logistics", "we need a dashboard for our sales team",
            "about twenty five thousand dollars", "in three months",
        ])
        #expect(position.slots["name"]?.value == "Sarah Miller")
        #expect(position.slots["company"]?.value == "Northern Logistics")
        #expect(position.slots["need"]?.value == "we need a dashboard for our sales team")
        #expect(position.slots["budget"]?.value == "25000 dollars")
        #expect(position.slots["timeline"]?.value == "in three months")
        #expect(position.slots["name"]?.words == "hi my name is sarah miller")
        #expect(said.first == "Welcome. Name?")
        #expect(said.last?.hasSuffix("Goodbye.") == true)
        #expect(ends)
    }

    @Test func aSpellingIsCorrectedByLetter() {
        let (position, _, _) = talk(["my name is john smith", "no smith with a y"])
        #expect(position.slots["name"]?.value == "John Smyth")
        #expect(position.node == "company")
    }

    @Test func aCorrectionReplacesTheLastAnswer() {
        let (position, _, _) = talk(["peter jones", "no my name is paul jones"])
        #expect(position.slots["name"]?.value == "Paul Jones")
    }

    @Test func aRefusalIsRecordedAndTheFlowGoesOn() {
        let (position, said, _) = talk(["i would rather not say"])
        #expect(position.slots["name"]?.refused == true)
        #expect(said.last == "That's fine. Company?")
    }

    @Test func aQuestionIsTurnedAsideAndTheSlotAskedAgain() {
        let (position, said, _) = talk(["what is the weather like in london today?"])
        #expect(position.slots.isEmpty)
        #expect(said.last == "Ask my colleague. Your name, please?")
    }

    @Test func aSlotThatCannotBeUnderstoodIsSkippedAfterThreeAttempts() {
        let (position, said, _) = talk(["john", "acme", "we need help with data", "purple", "purple", "purple"])
        #expect(position.slots["budget"]?.refused == true)
        #expect(position.node == "timeline")
        #expect(said.filter { $0.contains("Budget?") }.count == 3)
    }

    @Test func aCompanyNamedWithThePersonFillsBoth() {
        let (position, _, _) = talk(["this is john smith from acme"])
        #expect(position.slots["name"]?.value == "John Smith")
        #expect(position.slots["company"]?.value == "Acme")
        #expect(position.node == "need")
    }

    /// "No" begins many things that are not corrections of what was said before.
    @Test(arguments: [
        ("no comment", "need", true), ("no idea, sorry", "need", true), ("no, we need a website", "need", false),
        ("wait, what was the question?", "need", nil), ("actually, how much does it cost?", "need", nil),
        ("no, i need help with data", "need", false),
    ] as [(String, String, Bool?)])
    func anAnswerThatBeginsWithNoIsNoCorrection(_ words: String, _ slot: String, _ refused: Bool?) {
        let (position, _, _) = talk(["john smith", "acme industries", words])
        #expect(position.slots["company"]?.value == "Acme Industries")
        #expect(position.slots[slot]?.refused == refused)
    }

    @Test func aNumberAnswersTheQuestionAboutMoney() {
        let (position, _, _) = talk(["john smith", "acme", "we need help with data", "no, about fifty thousand", "actually in two weeks"])
        #expect(position.slots["need"]?.value == "we need help with data")
        #expect(position.slots["budget"]?.value == "50000")
        #expect(position.slots["timeline"]?.value.contains("two weeks") == true)
    }

    @Test func aBareNoWithANameCorrects() {
        let (position, _, _) = talk(["john smith", "acme industries", "no, apex industries"])
        #expect(position.slots["company"]?.value == "Apex Industries")
        #expect(position.node == "need")
    }

    @Test(arguments: [
        ("about 20k", "20000"), ("one hundred and five dollars", "105 dollars"), ("between ten and twenty thousand euros", "10 to 20000 euros"),
        ("half a million", "500000"), ("a thousand dollars a month", "1000 dollars per month"), ("two million three hundred thousand", "2300000"),
    ]) func moneyIsReadAsPeopleSayIt(_ spoken: String, _ value: String) {
        let only = LeadFlow(
            record: "lead", slots: [.init(name: "budget", kind: .money, question: "?")], closing: "", offTopic: "", notUnderstood: "")
        let (step, _) = ScriptedFlow(only).next(FlowPosition(node: "budget"), after: spoken)
        #expect(step.filled.first?.value == value)
    }
}
