/// What is counted about jobs and connections.
enum DispatchOutcome: String, Sendable, CaseIterable {
    /// A server has asked.
    case offered
    /// There was no room, so the answer waits.
    case queued
    case accepted
    /// By us or the owner, or because too many wait.
    case refused
    /// No room, no answer of the owner or no assignment in time.
    case expired
    /// Assigned, and the session runs.
    case started
    /// Assigned, and the session could not be started.
    case failed
    /// The server has ended a job that ran.
    case terminated
    /// The connection was lost and is there again.
    case reconnected

    /// What may become of a job.
    static let ofJobs = allCases.filter { $0 != .reconnected }
}
