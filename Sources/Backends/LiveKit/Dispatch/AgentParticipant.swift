/// Whom the participants of a room see when the agent has joined.
package struct AgentParticipant: Sendable, Hashable {
    /// Empty: `agent-` and the id of the job.
    package var identity: String
    package var name: String
    package var metadata: String
    /// `lk.agent.name` is added unless it is among them.
    package var attributes: [String: String]

    package init(identity: String = "", name: String = "", metadata: String = "", attributes: [String: String] = [:]) {
        self.identity = identity
        self.name = name
        self.metadata = metadata
        self.attributes = attributes
    }

    /// With what frontends rely on.
    func completed(for job: AgentJob) -> AgentParticipant {
        var result = self
        if identity.isEmpty { result.identity = "agent-" + job.id }
        if attributes[Self.nameAttribute] == nil { result.attributes[Self.nameAttribute] = job.agentName }
        return result
    }

    /// The attribute that LiveKit's own agents carry their name in.
    package static let nameAttribute = "lk.agent.name"
}

/// Whether somebody takes a job.
package enum JobAnswer: Sendable, Hashable {
    case accept(AgentParticipant)
    /// `isFinal`: nobody else is to be asked.
    case refuse(isFinal: Bool)
}
