package import SpeechDetection

/// What an agent is: instructions, pipeline, turn taking, flow and tools. Written as a YAML file or built in Swift; a stored
/// version never changes, and a session pins the version it was opened with.
package struct AgentDefinition: Sendable {
    /// Lower-case name with dashes, unique within its tenant.
    package var name: String
    package var language: String
    /// The system instructions of the language model.
    package var instructions: String
    package var pipeline: Pipeline
    package var turnTaking: TurnSettings
    package var greeting: Greeting?
    package var flow: LeadFlow?
    package var tools: [ToolConfiguration]
    /// Agents that it may hand the conversation to, each with when to do that.
    package var handOffs: [String: String] = [:]
    /// Whom it may transfer callers to, by name.
    package var transfers: [String: TransferTarget] = [:]
    package var limits: Limits
    package var placement = Placement()
    /// The backend that its callers come by, with the agent's options for it; nil: any.
    package var backend: ProviderChoice?
    /// Replacements before synthesis, whole words, case-insensitive.
    package var pronunciation: [String: String]
    /// Said when no model answers.
    package var apology = "I am sorry, I have a technical problem. Could you say that again?"
    /// Said before the call ends because no recogniser works.
    package var deafNotice = "I am sorry, I cannot hear you because of a technical problem. Please try again later."
    /// Said when a technical problem has swallowed what the caller said.
    package var repeatRequest = "I am sorry, I have lost a part of what you said. Could you say that again?"
    /// Said when the caller has been silent for `idleSeconds`.
    package var idlePrompt = "Are you still there?"

    package init(
        name: String, language: String = "en-US", instructions: String, pipeline: Pipeline = Pipeline(),
        turnTaking: TurnSettings = .balanced, greeting: Greeting? = nil, flow: LeadFlow? = nil, tools: [ToolConfiguration] = [],
        limits: Limits = Limits(), pronunciation: [String: String] = [:]
    ) {
        self.name = name
        self.language = language
        self.instructions = instructions
        self.pipeline = pipeline
        self.turnTaking = turnTaking
        self.greeting = greeting
        self.flow = flow
        self.tools = tools
        self.limits = limits
        self.pronunciation = pronunciation
    }
}

extension AgentDefinition {
    /// Its options for a backend.
    package func backendOptions(of name: String) -> [String: String] { backend?.name == name ? backend?.options ?? [:] : [:] }

    /// Which providers do the work. Chains are tried in order.
    package struct Pipeline: Sendable {
        package var speechToText: ProviderChoice
        /// Tried in order; the last is often `scripted`.
        package var languageModels: [ProviderChoice]
        package var textToSpeech: [ProviderChoice]
        package var voiceActivity: VADParameters
        /// Ask Smart Turn where transcript and silence leave the end of a turn open.
        package var turnModel: Bool
        package var voice: String?
        package var speed: Double
        package var temperature: Double?
        package var maxOutputTokens: Int
        package var keyterms: [String]

        package init(
            speechToText: ProviderChoice = ProviderChoice("local/pocketsphinx"),
            languageModels: [ProviderChoice] = [ProviderChoice("scripted")],
            textToSpeech: [ProviderChoice] = [ProviderChoice("local/flite")], voiceActivity: VADParameters = .quick,
            turnModel: Bool = true, voice: String? = nil, speed: Double = 1, temperature: Double? = nil,
            maxOutputTokens: Int = 512, keyterms: [String] = []
        ) {
            self.speechToText = speechToText
            self.languageModels = languageModels
            self.textToSpeech = textToSpeech
            self.voiceActivity = voiceActivity
            self.turnModel = turnModel
            self.voice = voice
            self.speed = speed
            self.temperature = temperature
            self.maxOutputTokens = maxOutputTokens
            self.keyterms = keyterms
        }
    }

    /// A provider by `vendor/model` with the agent's options for it.
    package struct ProviderChoice: Sendable, Hashable {
        package var name: String
        package var options: [String: String]

        package init(_ name: String, options: [String: String] = [:]) {
            self.name = name
            self.options = options
        }
    }

    /// The first words of the agent.
    package struct Greeting: Sendable, Hashable {
        /// Spoken as written; nil lets the language model (or the flow) begin.
        package var say: String?
        package var interruptible: Bool

        package init(say: String? = nil, interruptible: Bool = true) {
            self.say = say
            self.interruptible = interruptible
        }
    }

    /// What sessions of this agent need of a worker.
    package struct Placement: Sendable, Hashable {
        /// Labels that the worker must have (`PARLEY_WORKER_LABELS`).
        package var labels: Set<String>
        /// Share of a worker's capacity; nil: as the pipeline says.
        package var weight: Double?

        package init(labels: Set<String> = [], weight: Double? = nil) {
            self.labels = labels
            self.weight = weight
        }
    }

    /// Share of a worker's capacity that a session takes: 1 with recogniser and voice elsewhere. A recogniser in the worker weighs as much as
    /// twenty sessions with a remote one.
    package var sessionWeight: Double {
        placement.weight ?? (pipeline.speechToText.name.hasPrefix("local/") ? 20 : 1)
    }

    package struct Limits: Sendable, Hashable {
        /// A call is closed with the reason `max_duration` after this.
        package var maxDurationSeconds: Int
        /// Rounds of tool calls within one reply.
        package var maxToolSteps: Int
        /// Items of the chat context sent to the model, and an estimate of tokens.
        package var maxContextItems: Int
        package var maxContextTokens: Int
        /// Silence of the caller after which the agent asks; 0 = never. After three times the call is closed.
        package var idleSeconds: Int

        package init(
            maxDurationSeconds: Int = 3_600, maxToolSteps: Int = 3, maxContextItems: Int = 200, maxContextTokens: Int = 16_000,
            idleSeconds: Int = 15
        ) {
            self.maxDurationSeconds = maxDurationSeconds
            self.maxToolSteps = maxToolSteps
            self.maxContextItems = maxContextItems
            self.maxContextTokens = maxContextTokens
            self.idleSeconds = idleSeconds
        }
    }
}
