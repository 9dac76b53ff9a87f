/// A job whose session does not run yet, and how far it has come.
struct JobEntry: Sendable {
    typealias Instant = ContinuousClock.Instant

    enum Phase: Sendable {
        /// The owner is asked.
        case asked
        /// The owner wants it; there is no room.
        case held(AgentParticipant, until: Instant)
        /// We have said yes.
        case accepted(AgentParticipant, until: Instant)
        /// Assigned: it is ours.
        case starting(AgentAssignment, StartAttempt)
    }

    /// Attempts to start a session, one after the other.
    struct StartAttempt: Sendable {
        let until: Instant
        /// Set between two attempts.
        var next: Instant?
        /// The server has ended the job meanwhile.
        var isTerminated = false
    }

    let job: AgentJob
    var phase = Phase.asked
    /// The order of arrival.
    let number: UInt64
    /// When the server must have an answer.
    let answerBy: Instant
    var isOverbooked = false

    /// Neither accepted nor refused.
    var isPending: Bool {
        switch phase {
        case .asked, .held: true
        case .accepted, .starting: false
        }
    }

    var isHeld: Bool { if case .held = phase { true } else { false } }
    var isStarting: Bool { if case .starting = phase { true } else { false } }
}

/// A job whose session runs.
struct RunningJob: Sendable {
    let assignment: AgentAssignment
    let since: ContinuousClock.Instant
    /// The order of arrival.
    let number: UInt64
}
