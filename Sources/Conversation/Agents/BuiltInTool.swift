/// Tools that are part of Parley.
package enum BuiltInTool: String, Sendable, CaseIterable {
    case recordLead = "record_lead"
    case endCall = "end_call"
    /// Not named in agent files: an agent has it when it names agents under `hand_off_to`.
    case handOff = "hand_off"
    /// Not named in agent files: an agent has it when it names targets under `transfer_to`.
    case transfer

    /// Those that agent files name under `tools`.
    package static let named: [BuiltInTool] = [.recordLead, .endCall]

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
        case .transfer: Self.transfer(to: [:])
        }
    }

    /// The tool that hands the conversation to one of these agents, each with when to do that.
    package static func handOff(to agents: [String: String]) -> ToolConfiguration {
        let (list, choices) = choice(agents)
        return ToolConfiguration(
            name: BuiltInTool.handOff.rawValue, implementation: .builtIn,
            description: "Hands the caller to a colleague, after what you say with it has been spoken. Colleagues: \(list)",
            parametersSchema: """
                {"type":"object","properties":{"agent":{"type":"string","enum":[\(choices)]},\
                "reason":{"type":"string","description":"what the colleague must know"}},"required":["agent"]}
                """, idempotent: true, sideEffects: false, timeoutMilliseconds: 2_000)
    }

    /// The tool that transfers the caller to one of these targets. The model never sees, and never invents, where they are.
    package static func transfer(to targets: [String: TransferTarget]) -> ToolConfiguration {
        let (list, choices) = choice(targets.mapValues(\.occasion))
        return ToolConfiguration(
            name: BuiltInTool.transfer.rawValue, implementation: .builtIn,
            description: """
                Transfers the caller's telephone call, after what you say with it has been spoken. When it works the call with you is over; when it \
                does not you are told why. Targets: \(list)
                """,
            parametersSchema: #"{"type":"object","properties":{"target":{"type":"string","enum":[\#(choices)]}},"required":["target"]}"#,
            idempotent: false, sideEffects: true, timeoutMilliseconds: 10_000)
    }

    /// What a model chooses from, by name: for the description with the occasions, and as the members of an `enum`.
    private static func choice(_ occasions: [String: String]) -> (list: String, members: String) {
        let sorted = occasions.sorted { $0.key < $1.key }
        let list = sorted.map { "'\($0.key)': \($0.value)" }.joined(separator: "; ")
        // Names in agent files are letters, digits and dashes: they need no escaping.
        return (list, sorted.map { "\"\($0.key)\"" }.joined(separator: ","))
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
