/// All that a caller of an endless conversation said, heard and went through. Times are monotonic nanoseconds
/// (`NIODeadline`), one clock for all callers of a process.
package struct CallRecord: Sendable {
    /// How something is said.
    package enum Manner: String, Sendable, Hashable { case voice, text, digits }

    package struct Said: Sendable, Hashable {
        /// The line in the book.
        package var line: Int
        package var manner: Manner
        /// 1; more when it is said again because nobody answered.
        package var attempt: Int
        /// Said into the agent's answer.
        package var interrupts: Bool
        package var startedAt: Int64
        /// Nil where the call ended before it was said.
        package var endedAt: Int64?

        package init(
            line: Int, manner: Manner = .voice, attempt: Int = 1, interrupts: Bool = false, startedAt: Int64,
            endedAt: Int64?
        ) {
            self.line = line
            self.manner = manner
            self.attempt = attempt
            self.interrupts = interrupts
            self.startedAt = startedAt
            self.endedAt = endedAt
        }
    }

    /// A word of the agent that was played to the caller.
    package struct Played: Sendable, Hashable {
        /// Its number in the book.
        package var word: Int
        /// Heard to its end from its begin.
        package var isWhole: Bool
        /// Milliseconds of it that were heard.
        package var milliseconds: Int
        package var at: Int64
        package var until: Int64
        /// Connections so far, from 0.
        package var connection: Int

        package init(
            word: Int, isWhole: Bool = true, milliseconds: Int = 300, at: Int64, until: Int64, connection: Int = 0
        ) {
            self.word = word
            self.isWhole = isWhole
            self.milliseconds = milliseconds
            self.at = at
            self.until = until
            self.connection = connection
        }
    }

    /// A committed turn as the agent told it.
    package struct Told: Sendable, Hashable {
        package var text: String
        package var at: Int64
        package init(_ text: String, at: Int64) {
            self.text = text
            self.at = at
        }
    }

    /// The connection was lost, and came back or not.
    package struct Gap: Sendable, Hashable {
        package var lostAt: Int64
        package var code: Int
        package var reason: String
        package var backAt: Int64?
        package init(lostAt: Int64, code: Int, reason: String, backAt: Int64? = nil) {
            self.lostAt = lostAt
            self.code = code
            self.reason = reason
            self.backAt = backAt
        }
    }

    /// A stretch of time in which messages or audio came, without a pause of 60 ms.
    package struct Activity: Sendable, Hashable {
        package var from: Int64
        package var to: Int64
        package init(from: Int64, to: Int64) {
            self.from = from
            self.to = to
        }
    }

    /// Names the call; the agent's session has it as parameter `caller`.
    package var caller: String
    package var isResumable: Bool
    package var connectedAt: Int64?
    package var readyAt: Int64?
    package var endedAt: Int64 = 0
    package var said: [Said] = []
    package var played: [Played] = []
    package var told: [Told] = []
    package var gaps: [Gap] = []
    package var activity: [Activity] = []
    package var sources = FrameSources()
    /// Milliseconds of audible agent audio that is no known word.
    package var unknownMilliseconds = 0
    /// Problems that the caller saw: errors told by the agent, frames that are none.
    package var problems: [Told] = []
    /// `caller`, `agent` or `error`.
    package var endedBy = ""
    package var closeCode = 0
    package var closeReason = ""

    package init(caller: String, isResumable: Bool) {
        self.caller = caller
        self.isResumable = isResumable
    }

    /// Something came from the agent.
    mutating func note(at now: Int64) {
        if let last = activity.last, now - last.to < 60_000_000 {
            activity[activity.count - 1].to = now
        } else {
            activity.append(Activity(from: now, to: now))
        }
    }
}
