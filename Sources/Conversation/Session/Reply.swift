import Audio

/// One reply while it is being made: text arrives, becomes sentences, is logged, spoken and played.
struct Reply {
    enum Kind: Equatable { case answer, greeting, say, apology }
    enum Phase: Equatable {
        /// Not committed: its first sentence may be synthesised, nothing is logged or played.
        case speculative(id: UInt32)
        case committed
    }

    let number: ReplyNumber
    let kind: Kind
    var turn: TurnNumber
    var phase: Phase
    /// The words that a speculation answers.
    let basis: String
    var interruptible = true
    /// Nothing of it is spoken.
    var isTextOnly = false
    var model = "agent"

    var generation: (any Generation)?
    /// Rounds of tool calls so far.
    var step = 0
    var toolCalls: [ToolCall] = []
    var runningTools = 0
    var flowSteps: [FlowStep] = []
    /// Who takes the conversation over once this reply has been heard.
    var handOff: HandOff?
    /// The call is over once this reply has been heard.
    var ends: EndReason?

    var splitter: SentenceSplitter
    var speech: SpeechText
    /// Sentences in order; the first `spoken` of them have been handed to the TTS.
    var sentences: [String] = []
    var spoken = 0
    var played = 0
    /// Sentences that were in the log when this owner took the session.
    var logged = 0
    /// What is left of the sentence that another owner had begun to speak.
    var remainder: (index: Int, text: String)?
    /// Another owner has begun the reply, and the model is asked for the rest of it.
    var isContinued = false
    /// Sentences that were given to a voice a second time.
    var retried: Set<UInt32> = []
    /// What the model wrote while this was a speculation, for the client at commit.
    var heldText = ""
    /// Sentences (with their characters) that were synthesised while this was a speculation, for the log at commit.
    var heldAudio: [(index: UInt32, characters: Int)] = []
    /// The TTS may speak a speculation's first sentence.
    var maySpeak: Bool
    /// No more text comes: the model has finished and no tool runs.
    var isComplete = false
    var hasAudio = false
    /// Its first audio has left.
    var hasStarted = false
    var latency: TurnLatency
    /// Monotonic nanoseconds of the last text, for a model that dribbles.
    var lastTextAt: Int64 = 0

    init(number: ReplyNumber, kind: Kind, turn: TurnNumber, phase: Phase, basis: String, splitter: SentenceSplitter, speech: SpeechText) {
        self.number = number
        self.kind = kind
        self.turn = turn
        self.phase = phase
        self.basis = basis
        self.splitter = splitter
        self.speech = speech
        self.maySpeak = phase == .committed
        self.latency = TurnLatency(reply: number)
    }

    var isCommitted: Bool { phase == .committed }

    /// What the voice is given for a sentence.
    func spokenText(_ index: Int) -> String {
        if let remainder, remainder.index == index { return remainder.text }
        return sentences[index]
    }

    /// What another owner had spoken of a sentence.
    func spokenBefore(_ index: Int) -> Substring {
        guard let remainder, remainder.index == index, sentences[index].hasSuffix(remainder.text) else { return "" }
        return sentences[index].dropLast(remainder.text.count)
    }

    func isLast(_ index: Int) -> Bool { isComplete && index + 1 == sentences.count }

    /// How many sentences may be with the TTS: a speculation its first one, a reply two ahead of what is heard.
    var speakLimit: Int {
        switch phase {
        case .speculative: maySpeak ? 1 : 0
        case .committed: played + 3
        }
    }
}
