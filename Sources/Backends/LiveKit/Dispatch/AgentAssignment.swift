package import Cryptography

/// A job that is ours: all that is needed to join its room, from any process.
package struct AgentAssignment: Sendable, Equatable {
    package var job: AgentJob
    /// Whom the token is for.
    package var participant: AgentParticipant
    /// `ws://` or `wss://`.
    package var url: String
    /// Valid for an hour; the server renews it for who has joined.
    package var token: Secret
    /// The registration that the job came by. A server that has restarted, or lost the connection, knows its jobs no more.
    package var workerID: String

    package init(job: AgentJob, participant: AgentParticipant, url: String, token: Secret, workerID: String) {
        self.job = job
        self.participant = participant
        self.url = url
        self.token = token
        self.workerID = workerID
    }
}

/// The server says that a job is over: its dispatch was deleted, or its participant has left the room.
///
/// The latter is also said of an agent that another one has driven out of the room by joining under the same identity. Whoever has just moved
/// a session to another worker leaves that session alone.
package struct AgentTermination: Sendable, Equatable {
    package var assignment: AgentAssignment
    /// How long the job has been running.
    package var runningFor: Duration
    /// It came while the session was being started. A server removes only who is in the room by then, so that the session is the owner's to end.
    package var isEarly: Bool

    package init(assignment: AgentAssignment, runningFor: Duration, isEarly: Bool = false) {
        self.assignment = assignment
        self.runningFor = runningFor
        self.isEarly = isEarly
    }
}

/// Why a session was not started.
package struct AgentStartError: Error, Sendable, CustomStringConvertible {
    /// For people; the server shows it in its log. No secrets.
    package var description: String
    /// Trying again is of no use.
    package var isFinal: Bool

    package init(_ description: String, isFinal: Bool) {
        self.description = description
        self.isFinal = isFinal
    }
}
