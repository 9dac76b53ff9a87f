import Conversation
import Logging
import SessionLog

/// The agents of one session: the one that talks, and those that it or its colleagues may hand the conversation to.
struct Agents: Sendable {
    /// The fold of the log so far.
    let state: SessionState
    let current: AgentDefinition
    /// By name, with the pinned version.
    private let colleagues: [String: (agent: AgentDefinition, hash: String)]

    /// Reads the versions that the log pins.
    static func load(for claimed: ClaimedSession, tenant: String, core: WorkerCore) async throws -> Agents {
        let state = claimed.events.reduce(into: SessionState()) { $0.apply($1) }
        let hash = state.agentHash.isEmpty ? claimed.agentHash : state.agentHash
        let current = try await core.agent(hash: hash, tenant: tenant)
        var colleagues: [String: (agent: AgentDefinition, hash: String)] = [:]
        var pinned = state.opened?.agents ?? [:]
        // Whoever took over may hand back to the one that began.
        if let opened = state.opened, !pinned.isEmpty { pinned[opened.agent] = opened.agentHash }
        for (name, hash) in pinned { colleagues[name] = (try await core.agent(hash: hash, tenant: tenant), hash) }
        return Agents(state: state, current: current, colleagues: colleagues)
    }

    /// Colleagues with their providers; who lacks one is left out, and the log says which.
    func targets(core: WorkerCore, logger: Logger) -> [String: HandOffTarget] {
        var targets: [String: HandOffTarget] = [:]
        for (name, colleague) in colleagues {
            do {
                let providers = try core.environment.providers(for: colleague.agent)
                targets[name] = HandOffTarget(agent: colleague.agent, hash: colleague.hash, providers: providers)
            } catch {
                logger.warning("agent cannot take over", metadata: ["agent": "\(name)", "error": "\(error)"])
            }
        }
        return targets
    }
}
