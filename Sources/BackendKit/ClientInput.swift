/// What a client may send besides audio.
public enum ClientInput: Sendable, Hashable {
    /// The client's handshake is complete; the agent may speak.
    case ready
    /// The caller has typed. `interrupts`: the agent turns to it at once; `speak`: the answer is spoken, not only written.
    case text(String, interrupts: Bool, speak: Bool)
    /// From now on replies are spoken as usual, or only written.
    case audioOutput(Bool)
    /// What was said before this conversation, oldest first. Taken before the caller's first turn only.
    case history([HistoryMessage])
    case dtmf(String)
    case endOfTurn
    /// A question of the client's program that no model answers: `transcript`, `state`. `json` is its argument, JSON text or empty. It is answered by
    /// a `response` or an `errorResponse` with the same id.
    case request(id: String, type: String, json: String)
    case toolResult(call: String, content: String)
    /// The client wants to end the call.
    case hangUp
}

/// One contribution to an earlier conversation.
public struct HistoryMessage: Sendable, Hashable {
    public var isAgent: Bool
    public var text: String

    public init(isAgent: Bool, text: String) {
        self.isAgent = isAgent
        self.text = text
    }
}
