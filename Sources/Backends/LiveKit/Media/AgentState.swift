import BackendKit

/// What the agent does, as frontends show it by the attribute `lk.agent.state`. Pure.
enum AgentState: String {
    case initializing, idle, listening, thinking, speaking

    /// The state after a notice; the same where it says nothing about that.
    func after(_ notice: ClientNotice) -> AgentState {
        switch notice {
        case .ready: self == .initializing ? .listening : self
        case .agentThinking, .userTurn: self == .speaking ? .speaking : .thinking
        case .agentStartedSpeaking: .speaking
        case .agentStoppedSpeaking, .interrupted: .listening
        // A reply that is only written: nobody tells when it is over.
        case .sentence(_, _, .textOnly): self == .thinking ? .listening : self
        case .userStartedSpeaking: self == .idle ? .listening : self
        default: self
        }
    }
}
