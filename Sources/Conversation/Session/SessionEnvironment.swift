package import Logging
import SessionLog
package import SpeechDetection
import Telemetry

/// What a session is given by the process that runs it. One per process, shared by its sessions.
package struct SessionEnvironment: Sendable {
    package var registry: ProviderRegistry
    /// The operator's keys and base URLs.
    package var variables: @Sendable (String) -> String?
    package var speechModel: SileroVAD?
    package var turnModel: TurnAnalyzer?
    package var tools: any ToolRunning
    package var metrics: @Sendable (_ tenant: String) -> SessionMetrics
    package var logger: Logger

    package init(
        registry: ProviderRegistry, variables: @escaping @Sendable (String) -> String?, speechModel: SileroVAD?,
        turnModel: TurnAnalyzer?, tools: any ToolRunning, metrics: @escaping @Sendable (String) -> SessionMetrics, logger: Logger
    ) {
        self.registry = registry
        self.variables = variables
        self.speechModel = speechModel
        self.turnModel = turnModel
        self.tools = tools
        self.metrics = metrics
        self.logger = logger
    }

    /// The providers of an agent, or the first error that says which variable or file is missing.
    package func providers(for agent: AgentDefinition) throws -> SessionProviders {
        func configuration(_ choice: AgentDefinition.ProviderChoice) -> ProviderConfiguration {
            ProviderConfiguration(choice.name, options: choice.options, environment: variables)
        }
        let recogniser = try registry.speechToText(configuration(agent.pipeline.speechToText))
        let models = agent.pipeline.languageModels.map { choice in Result { try registry.languageModel(configuration(choice)) } }
        let voices = agent.pipeline.textToSpeech.map { choice in Result { try registry.textToSpeech(configuration(choice)) } }
        return SessionProviders(
            speechToText: recogniser, languageModel: FallbackLanguageModel(try usable(models)),
            textToSpeech: try usable(voices))
    }

    /// A chain goes on without the members that are not configured, unless none is left.
    private func usable<Provider>(_ chain: [Result<Provider, any Error>]) throws -> [Provider] {
        let found = chain.compactMap { try? $0.get() }
        if found.isEmpty, let first = chain.first { _ = try first.get() }
        return found
    }
}

/// The providers of one session.
package struct SessionProviders: Sendable {
    package var speechToText: any SpeechToText
    package var languageModel: FallbackLanguageModel
    /// Tried in order; a session moves to the next one when a voice has failed for good.
    package var textToSpeech: [any TextToSpeech]

    package init(speechToText: any SpeechToText, languageModel: FallbackLanguageModel, textToSpeech: [any TextToSpeech]) {
        self.speechToText = speechToText
        self.languageModel = languageModel
        self.textToSpeech = textToSpeech
    }
}

/// Runs the tools of agents. Implemented by the worker; scripted in tests.
package protocol ToolRunning: Sendable {
    /// Runs one call and returns what the model is told. Throws only `CancellationError`; failures are results.
    func run(_ call: ToolCall, configuration: ToolConfiguration, session: String, idempotencyKey: String) async -> ToolOutcomeReport
}

/// What came of a tool call.
package struct ToolOutcomeReport: Sendable, Hashable {
    package enum Outcome: Sendable, Hashable { case succeeded, failed, unknown, cancelled }
    package var outcome: Outcome
    package var content: String

    package init(_ outcome: Outcome, content: String) {
        self.outcome = outcome
        self.content = content
    }
}
