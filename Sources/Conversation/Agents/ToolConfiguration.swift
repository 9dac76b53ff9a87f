/// A tool as an agent file names it.
package struct ToolConfiguration: Sendable, Hashable {
    package enum Implementation: Sendable, Hashable {
        /// Part of Parley: `record_lead`, `end_call`.
        case builtIn
        /// A JSON POST to a URL of the operator's configuration: `PARLEY_TOOL_<NAME>_URL`.
        case http
        /// The client's program runs it: it is told of the call, and answers with the result.
        case client
    }

    package var name: String
    package var implementation: Implementation
    package var description: String
    /// JSON Schema of the arguments, as JSON text.
    package var parametersSchema: String
    /// Running it twice with the same key does no harm, so an unknown outcome may be retried.
    package var idempotent: Bool
    /// It changes the world, so it does not run while it cannot be logged.
    package var sideEffects: Bool
    package var timeoutMilliseconds: Int

    package init(
        name: String, implementation: Implementation, description: String = "", parametersSchema: String = "{}",
        idempotent: Bool = false, sideEffects: Bool = true, timeoutMilliseconds: Int = 10_000
    ) {
        self.name = name
        self.implementation = implementation
        self.description = description
        self.parametersSchema = parametersSchema
        self.idempotent = idempotent
        self.sideEffects = sideEffects
        self.timeoutMilliseconds = timeoutMilliseconds
    }

    /// What the model is told.
    package var definition: ToolDefinition {
        ToolDefinition(name: name, description: description, parametersSchema: parametersSchema)
    }
}
