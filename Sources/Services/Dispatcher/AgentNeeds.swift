import Conversation
import Synchronization

/// What agent versions ask of placement, and whom they hand off to. Versions never change: each is read once.
final class AgentNeeds: Sendable {
    struct Needs: Sendable {
        var weight = 1.0
        var labels: Set<String> = []
        /// Names of the agents that it may hand its conversation to.
        var handOffs: [String] = []
        /// It may transfer its caller.
        var transfers = false
        /// The backend of its callers, with options for it; nil: any.
        var backend: AgentDefinition.ProviderChoice?
    }

    private let known = Mutex<[String: Needs]>([:])

    /// A definition that cannot be read asks for nothing: the worker will say what is wrong with it.
    func of(_ version: AgentVersion) -> Needs {
        if let needs = known.withLock({ $0[version.hash] }) { return needs }
        let definition = try? AgentFile.read(version.definition, source: version.name)
        let needs = definition.map {
            Needs(weight: $0.sessionWeight, labels: $0.placement.labels, handOffs: $0.handOffs.keys.sorted(), transfers: !$0.transfers.isEmpty, backend: $0.backend)
        }
        known.withLock { known in
            if known.count >= 1_000 { known.removeAll() }
            known[version.hash] = needs ?? Needs()
        }
        return needs ?? Needs()
    }

    /// A session is placed where all agents can talk that may have it, and counts as the heaviest of them.
    func of(_ versions: [AgentVersion]) -> Needs {
        let all = versions.map { of($0) }
        return Needs(weight: all.map(\.weight).max() ?? 1, labels: all.reduce(into: []) { $0.formUnion($1.labels) })
    }
}
