/// What a client may send besides audio.
public enum ClientInput: Sendable, Hashable {
    /// The client's handshake is complete; the agent may speak.
    case ready
    case text(String, interrupts: Bool, speak: Bool)
    case dtmf(String)
    case endOfTurn
    /// A question of the client's program that no model answers: `transcript`, `state`. `json` is its argument, JSON text or empty. It is answered by
    /// a `response` or an `errorResponse` with the same id.
    case request(id: String, type: String, json: String)
    case toolResult(call: String, content: String)
    /// The client wants to end the call.
    case hangUp
}
