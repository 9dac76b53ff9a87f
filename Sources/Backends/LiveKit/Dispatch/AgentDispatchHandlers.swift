/// What a registration needs of its owner. All of them answer to cancellation.
package struct AgentDispatchHandlers: Sendable {
    /// A token with the video grant `agent`, for one connection.
    package var token: @Sendable () throws -> String
    /// The room there is for sessions; asked several times a second, so it is best kept in memory. Nil: no more jobs are taken, as by `drain`.
    package var capacity: @Sendable () async -> DispatchCapacity?
    /// Whether a job is for us, and as whom. Not asked about room. Its answer counts within `answerWithin` only.
    package var offer: @Sendable (AgentJob) async -> JobAnswer
    /// Starts the session of a job; returns when it runs. Called again while it throws, until `startWithin` is over or the error is an
    /// `AgentStartError` that is final. When it throws, also because it was cancelled, there must be no session; when it returns, there is one.
    package var begin: @Sendable (AgentAssignment) async throws -> Void
    /// The server has ended a job that runs. The session is the owner's to end, or to keep; then `jobEnded` as for every session.
    package var terminated: @Sendable (AgentTermination) async -> Void

    package init(
        token: @escaping @Sendable () throws -> String, capacity: @escaping @Sendable () async -> DispatchCapacity?,
        offer: @escaping @Sendable (AgentJob) async -> JobAnswer, begin: @escaping @Sendable (AgentAssignment) async throws -> Void,
        terminated: @escaping @Sendable (AgentTermination) async -> Void
    ) {
        self.token = token
        self.capacity = capacity
        self.offer = offer
        self.begin = begin
        self.terminated = terminated
    }
}
