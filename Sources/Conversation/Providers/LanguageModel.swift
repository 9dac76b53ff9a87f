package import NIOCore

/// A model that continues a conversation, streaming text and tool calls.
package protocol LanguageModel: Sendable {
    /// `vendor/model`, as written in logs, usage and metrics.
    var name: String { get }

    /// Starts a generation and returns at once. Events are delivered on `eventLoop`, in order, never from inside this call,
    /// and end with exactly one `finished` or `failed`, unless the generation is cancelled: then nothing more is delivered.
    /// Retries (before the first token only), deadlines and connection pooling are the provider's own.
    func generate(
        _ request: GenerationRequest, on eventLoop: any EventLoop, events: @escaping @Sendable (GenerationEvent) -> Void
    ) -> any Generation
}

/// A generation under way. Used on its event loop only.
package protocol Generation: AnyObject {
    /// Stops it; nothing is delivered afterwards. Harmless when it has ended.
    func cancel()
}

package struct GenerationRequest: Sendable {
    package var session: String
    /// System instructions, put in front in the vendor's own way.
    package var instructions: String
    package var context: ChatContext
    package var tools: [ToolDefinition]
    package var toolChoice: ToolChoice
    package var temperature: Double?
    package var maxOutputTokens: Int
    /// Milliseconds until the first token; then the provider fails over or gives up with `timeout`.
    package var firstTokenDeadlineMilliseconds: Int
    /// The agent's flow and where it stands, for the scripted flow. Language models see it through the instructions.
    package var flow: FlowContext?
    /// The caller may not have finished: the answer may be thrown away, and must not take quota from answers that are needed.
    package var isSpeculative = false

    package init(
        session: String, instructions: String, context: ChatContext, tools: [ToolDefinition] = [], toolChoice: ToolChoice = .auto,
        temperature: Double? = nil, maxOutputTokens: Int = 512, firstTokenDeadlineMilliseconds: Int = 5_000
    ) {
        self.session = session
        self.instructions = instructions
        self.context = context
        self.tools = tools
        self.toolChoice = toolChoice
        self.temperature = temperature
        self.maxOutputTokens = maxOutputTokens
        self.firstTokenDeadlineMilliseconds = firstTokenDeadlineMilliseconds
    }
}

package enum ToolChoice: Sendable, Hashable { case auto, none, required, named(String) }

/// What the model is told of a tool.
package struct ToolDefinition: Sendable, Hashable {
    package var name: String
    package var description: String
    /// JSON Schema of the arguments, as JSON text.
    package var parametersSchema: String

    package init(name: String, description: String, parametersSchema: String) {
        self.name = name
        self.description = description
        self.parametersSchema = parametersSchema
    }
}

package enum GenerationEvent: Sendable {
    /// The request is on the wire (the start of the time to first token).
    case requested
    case text(String)
    /// A whole call: arguments are complete JSON, repaired where the vendor's stream was ragged.
    case toolCall(ToolCall)
    /// What a scripted flow did; comes before the text it speaks. Language models never send it.
    case flow(FlowStep)
    case finished(FinishReason, TokenUsage)
    case failed(ProviderError)
}

package enum FinishReason: String, Sendable, Hashable { case stop, length, toolCalls, contentFilter, other }

package struct TokenUsage: Sendable, Hashable {
    package var input: Int
    package var cachedInput: Int
    package var output: Int

    package init(input: Int = 0, cachedInput: Int = 0, output: Int = 0) {
        self.input = input
        self.cachedInput = cachedInput
        self.output = output
    }
}
