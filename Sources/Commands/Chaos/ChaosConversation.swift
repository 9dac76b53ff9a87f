import CallerSimulator
import ProviderSimulator

/// What is said in a chaos run. No word of the agent occurs twice, so that a word that a caller hears names its place.
enum ChaosConversation {
    static let greeting = "Hello, welcome to Chaos Telephones."
    private static let apology = "Sorry, technical trouble. Please repeat."
    private static let deafNotice = "Unfortunately microphones failed."
    private static let idlePrompt = "Silence detected, anybody present?"
    private static let fallback = "Pardon, could that be rephrased?"
    /// Runs at most once; and one that may be run again with its key.
    static let onceTool = "send_brochure"
    static let idempotentTool = "check_date"

    static let book = AnswerBook(
        [
            .init(
                "Hello, I saw your advertisement.",
                answer:
                    "Wonderful, thanks for calling. Advertisements attract many friendly people here. Tell me what interests you."
            ),
            .init(
                "My name is Anna Schmidt.",
                answer: "Nice meeting someone new. Everybody today receives personal attention immediately."),
            .init(
                "I work for Northwind Traders.",
                answer:
                    "Excellent company indeed. Merchants usually need reliable exchanges. Their customers ring constantly, mornings especially."
            ),
            .init(
                "We need a phone system for forty people.",
                answer: """
                    Forty desks, certainly. Installation takes roughly one week. Engineers bring every device, connect cables, inspect sockets, \
                    then train staff.
                    """),
            .init(
                "Our budget is about twenty thousand.",
                answer: "Twenty thousand covers everything comfortably. Monthly fees remain rather small afterwards."),
            .init(
                "We want to start in March.",
                answer:
                    "March works perfectly. Spring schedules still have openings. Shall colleagues reserve two days?"),
            .init(
                "How long does the contract run?",
                answer:
                    "Contracts last twelve months. Cancelling earlier costs nothing extra. Renewal happens automatically unless customs change."
            ),
            .init(
                "Can we keep our old numbers?",
                answer:
                    "Old numbers move along. Carriers transfer them overnight, without interruption. Nobody notices any difference."
            ),
            .init(
                "Who helps us when something breaks?",
                answer:
                    "Support answers around midnight too. Technicians arrive within four hours. Spare parts wait nearby."
            ),
            .init(
                "Is there a discount for schools?",
                answer: "Schools pay half. Teachers love simple voicemail. Pupils rarely complain."),
            .init(
                "Please send me a brochure.", lead: "Gladly, sending papers now.", tool: onceTool,
                answer: "Coloured copies leave tomorrow. Expect delivery before Friday."),
            .init(
                "Please check the delivery date.", lead: "Looking into dates.", tool: idempotentTool,
                answer: "Calendars say Wednesday. Trucks depart after breakfast."),
            .init(
                "What does a single handset cost?",
                answer: "Handsets begin at fifty euros. Wireless models are slightly dearer. Headsets come free."),
            .init(
                "Do you record the calls?",
                answer: "Recording stays optional. Administrators switch this off whenever privacy matters most."),
            .init("42#", answer: "Extension confirmed. Routing changes instantly."),
            .init("17#", answer: "Menu seventeen selected. Operators listen next."),
        ], fallback: fallback)

    /// The lines, spoken by a flite voice, and the agent's words. Blocking.
    static func makeBook() throws -> ConversationBook {
        let lines = try book.entries.enumerated().map { number, entry in
            let isKeys = entry.said.hasSuffix("#")
            return ConversationBook.Line(
                entry.said, speech: isKeys ? nil : try CallerSpeech(entry.said, voice: "rms"), answer: number + 1)
        }
        let texts = [greeting] + book.entries.map(\.text) + [apology, deafNotice, idlePrompt, fallback]
        return try ConversationBook(lines: lines, texts: texts) { ToneVoice.burst($0, rate: 16_000) }
    }

    /// Providers that understand these callers and answer by the book, at the delays of the benchmarks.
    static func simulator(_ conversation: ConversationBook) throws -> SimulatorConfiguration {
        var configuration = SimulatorConfiguration()
        configuration.recognition.recordings = try KnownSpeech(
            conversation.lines.compactMap { line in line.speech.map { (line.text, $0.samples) } })
        configuration.language.book = book
        return configuration
    }

    static let agent = """
        agent: chaos
        language: en-US
        instructions: You answer the line of a company that sells telephones.
        pipeline:
          stt: deepgram/nova-3
          llm: [openai/gpt-4o-mini]
          tts: cartesia/sonic-3
          vad: quick
        turn_taking: quick
        greeting:
          say: \(greeting)
        apology: \(apology)
        deaf_notice: \(deafNotice)
        idle_prompt: \(idlePrompt)
        tools:
          - name: \(onceTool)
            description: Sends the caller a brochure.
            parameters: '{"type":"object","properties":{"turn":{"type":"integer"},"about":{"type":"string"}}}'
          - name: \(idempotentTool)
            description: Looks a date up.
            parameters: '{"type":"object","properties":{"turn":{"type":"integer"},"about":{"type":"string"}}}'
            idempotent: true
            side_effects: false
        limits:
          idle_seconds: 30
        """
}
