import CallerSimulator

/// A session as PostgreSQL has it.
struct ChaosSession: Sendable, Hashable {
    struct Turn: Sendable, Hashable {
        var number: Int
        var text: String
    }

    struct Reply: Sendable, Hashable {
        var number: Int
        var text: String
        var isInterrupted = false
        /// Heard to its end.
        var isComplete = true
    }

    struct Event: Sendable, Hashable {
        var fence: Int64
        var sequence: Int64
    }

    struct Claim: Sendable, Hashable {
        var fence: Int64
        var worker: String
        /// Monotonic nanoseconds.
        var at: Int64
    }

    struct ToolCall: Sendable, Hashable {
        var call: String
        var name: String
        var outcome: String?
    }

    var session: String
    /// The caller's name, from the session's parameters.
    var caller: String
    var isClosed = true
    var closeReason = "hang_up"
    /// In the order of their events.
    var turns: [Turn] = []
    var replies: [Reply] = []
    /// In the order of their sequences.
    var events: [Event] = []
    var claims: [Claim] = []
    var toolCalls: [ToolCall] = []
}

/// A run of a tool as its server saw it.
struct ChaosToolRun: Sendable, Hashable {
    var name: String
    var key: String
    var session: String
    /// The caller's turn that the model called it for.
    var turn: Int
    var at: Int64
}

/// A fault that happened. Times are monotonic nanoseconds.
struct ChaosIncident: Sendable, Hashable {
    var fault: ChaosFault
    var from: Int64
    var to: Int64
    /// What is worth knowing of it.
    var note = ""
}

/// All that is known after a run.
struct ChaosEvidence: Sendable {
    var calls: [CallRecord]
    var sessions: [ChaosSession]
    var toolRuns: [ChaosToolRun] = []
    var incidents: [ChaosIncident] = []
    /// Tools that may run again with their key.
    var idempotentTools: Set<String> = []

    func session(of call: CallRecord) -> ChaosSession? { sessions.first { $0.caller == call.caller } }
}

/// Something that must not be.
struct ChaosViolation: Sendable, Hashable {
    enum Kind: String, Sendable, Hashable, CaseIterable {
        case lostTurn = "a turn is lost"
        case cutTurn = "words of a turn are lost"
        case doubledTurn = "a turn is in the record that was not said, or twice"
        case disorderedTurns = "turns are not numbered 1, 2, 3"
        case twoWorkers = "two workers were heard at once"
        case staleFence = "an event with a stale fence was accepted"
        case skippedWords = "words of the agent were skipped"
        case repeatedWords = "words of the agent were heard too often"
        case unloggedWords = "the agent said what is not in the record"
        case unanswered = "an utterance was not answered"
        case saidAgain = "an utterance had to be said again"
        case toolTwice = "a tool ran twice"
        case toolUntold = "a tool is said to have run that did not"
        case lostCall = "a call was lost"
        case unclosed = "a session is not closed with a reason"
    }

    var kind: Kind
    /// Caller and session.
    var call: String
    /// Monotonic nanoseconds where it has a time.
    var at: Int64?
    /// What was expected and what was there.
    var detail: String
}
