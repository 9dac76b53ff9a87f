/// Tools that are part of Parley.
package enum BuiltInTool: String, Sendable, CaseIterable {
    case recordLead = "record_lead"
    case endCall = "end_call"
    /// Not named in agent files: an agent has it when it names agents under `hand_off_to`.
    case handOff = "hand_off"

    package var configuration: ToolConfiguration {
        switch self {
        case .recordLead:
            ToolConfiguration(
                name: rawValue, implementation: .builtIn,
                description: """
                    Records what the caller said about themselves. Call it as soon as you learn a value, also for corrections; \
                    give only what is new. For a question the caller declines, name it in 'refused'.
                    """,
                parametersSchema: Self.recordLeadSchema, idempotent: true, sideEffects: false, timeoutMilliseconds: 2_000)
        case .endCall:
            ToolConfiguration(
                name: rawValue, implementation: .builtIn,
                description: "Ends the call after what you say with it has been spoken. Say goodbye first.",
                parametersSchema: #"{"type":"object","properties":{"reason":{"type":"string"}}}"#, idempotent: true,
                sideEffects: false, timeoutMilliseconds: 2_000)
        case .handOff: Self.handOff(to: [:])
        }
    }

    /// The tool that hands the conversation to one of these agents, each with when to do that.
    package static func handOff(to agents: [String: String]) -> ToolConfiguration {
        let names = agents.keys.sorted()
        let list = names.map { "'\($0)': \(agents[$0] ?? "")" }.joined(separator: "; ")
        // Names of agents are letters, digits and dashes: they need no escaping.
        let choices = names.map { "\"\($0)\"" }.joined(separator: ",")
        return ToolConfiguration(
            name: BuiltInTool.handOff.rawValue, implementation: .builtIn,
            description: "Hands the caller to a colleague, after what you say with it has been spoken. Colleagues: \(list)",
            parametersSchema: """
                {"type":"object","properties":{"agent":{"type":"string","enum":[\(choices)]},\
                "reason":{"type":"string","description":"what the colleague must know"}},"required":["agent"]}
                """, idempotent: true, sideEffects: false, timeoutMilliseconds: 2_000)
    }

    private static let recordLeadSchema = """
        {"type":"object","properties":{\
        "name":{"type":"string","description":"the caller's name"},\
        "company":{"type":"string","description":"the caller's company"},\
        "need":{"type":"string","description":"what the caller needs"},\
        "budget":{"type":"string","description":"what the caller can spend"},\
        "timeline":{"type":"string","description":"when the caller needs it"},\
        "words":{"type":"string","description":"the caller's own words this comes from"},\
        "refused":{"type":"array","items":{"type":"string"},"description":"questions the caller declined"}}}
        """
}
