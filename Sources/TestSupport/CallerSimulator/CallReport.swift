/// What a simulated caller heard, said and measured. Times are milliseconds from the connection.
package struct CallReport: Sendable {
    package struct Line: Sendable {
        package enum Speaker: String, Sendable { case caller, agent }
        package var speaker: Speaker
        package var text: String
        package var at: Double
    }

    /// One line of the caller and how the agent reacted.
    package struct Exchange: Sendable {
        package var step: Int
        package var said: String
        package var startedAt: Double
        package var endedAt: Double
        /// What the agent's recogniser understood, as committed.
        package var heard = ""
        /// From the caller's last speech sample to the first agent audio at the caller.
        package var responseMilliseconds: Double?
        /// From the caller's first speech sample until the last agent sample played, for an interruption.
        package var bargeInMilliseconds: Double?
        package var answer = ""
    }

    package var lines: [Line] = []
    package var exchanges: [Exchange] = []
    package var failures: [String] = []
    /// `agent`, `caller` or `error`.
    package var endedBy = ""
    package var closeCode: Int = 0
    package var closeReason = ""
    /// From the start of the connection attempt to the open WebSocket, and from there to `bot-ready`.
    package var connectMilliseconds: Double?
    package var readyMilliseconds: Double?
    package var durationMilliseconds = 0.0
    /// How often the connection was lost and made again.
    package var returns = 0

    package init() {}
    package var hasPassed: Bool { failures.isEmpty }
}
