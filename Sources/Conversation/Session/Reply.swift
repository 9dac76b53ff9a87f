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
    var model = "agent"

    var generation: (any Generation)?
    /// Rounds of tool calls so far.
    var step = 0
    var toolCalls: [ToolCall] = []
    var runningTools = 0
    var flowSteps: [FlowStep] = []
    var endsCall = false

    var splitter: SentenceSplitter
    var speech: SpeechText
    /// Sentences in order; the first `spoken` of them have been handed to the TTS, `logged` to the log.
    var sentences: [String] = []
    var spoken = 0
    var logged = 0
    var played = 0
    /// The TTS may speak a speculation's first sentence.
    var maySpeak: Bool
    /// No more text comes: the model has finished and no tool runs.
    var isComplete = false
    var hasAudio = false
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

    /// How many sentences may be with the TTS: a speculation its first one, a reply two ahead of what is heard.
    var speakLimit: Int {
        switch phase {
        case .speculative: maySpeak ? 1 : 0
        case .committed: played + 3
        }
    }
}
