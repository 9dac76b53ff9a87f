package import Audio

/// How an owner comes by a session: who it is, and what is known of the caller's connection.
package struct SessionStart: Sendable {
    /// How far the agent's audio has reached the caller.
    package struct Delivered: Sendable, Hashable {
        package var reply: ReplyNumber
        /// Samples of the reply, from its first.
        package var position: SessionTime

        package init(reply: ReplyNumber, position: SessionTime) {
            self.reply = reply
            self.position = position
        }
    }

    /// Id of the worker.
    package var worker: String
    /// opened, takeover, drain, for the log.
    package var reason: String
    /// One per connection of the client.
    package var attachment: String
    package var generation: UInt32
    /// Nil where nobody knows.
    package var delivered: Delivered?
    /// What the client may come back with; empty where it cannot.
    package var resumeToken: String
    /// How long the session waits for a client that is gone.
    package var window: Duration
    /// The caller's messages since the last release follow; `replayEnded()` comes behind them.
    package var hasReplay: Bool
    /// A dispatcher keeps what the caller says until the log covers it, and knows how far the agent was heard. In a room nobody does: then the
    /// log has that itself, once a second.
    package var isRelayed: Bool

    package init(
        worker: String, reason: String = "opened", attachment: String, generation: UInt32 = 1, delivered: Delivered? = nil,
        resumeToken: String = "", window: Duration = .seconds(30), hasReplay: Bool = false,
        isRelayed: Bool = true
    ) {
        self.worker = worker
        self.reason = reason
        self.attachment = attachment
        self.generation = generation
        self.delivered = delivered
        self.resumeToken = resumeToken
        self.window = window
        self.hasReplay = hasReplay
        self.isRelayed = isRelayed
    }
}
