/// What was said in a session, as a view of its state.
package struct Transcript: Hashable, Sendable {
    /// One contribution.
    package struct Line: Hashable, Sendable {
        package enum Speaker: String, Sendable {
            case user
            case agent
        }

        package var speaker: Speaker
        package var text: String
        /// The agent was cut short; `text` is what was heard.
        package var interrupted: Bool
        /// The number of the user turn or of the reply.
        package var number: UInt32
    }

    package let lines: [Line]

    package init(_ state: SessionState) {
        lines = state.history.compactMap { entry in
            switch entry {
            case .userTurn(let turn):
                Line(speaker: .user, text: turn.text, interrupted: false, number: turn.turn)
            case .reply(let reply) where !reply.textForContext.isEmpty:
                Line(
                    speaker: .agent, text: reply.textForContext, interrupted: reply.isInterrupted, number: reply.number)
            case .reply, .toolCall:
                nil
            }
        }
    }
}
