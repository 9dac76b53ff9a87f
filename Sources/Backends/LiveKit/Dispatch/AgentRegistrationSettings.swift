/// How a dispatcher presents itself to a LiveKit server, and its patience.
package struct AgentRegistrationSettings: Sendable, Hashable {
    /// Rooms ask for the agent by this name; an agent with the empty name comes to every new room.
    package var agentName: String
    /// Ours, for the server's log.
    package var version = "parley"
    package var permissions = AgentPermissions()
    /// What a session takes of the capacity.
    package var jobWeight = 1.0
    /// `agents.target_load` of the server. It offers no jobs to workers that report as much.
    package var targetLoad = 0.7

    /// Jobs whose answer is outstanding; one more is refused at once.
    package var maximumPending = 16
    /// Jobs that are accepted although there was no room when their time was over, in the hope that there is before `startWithin` ends.
    package var maximumOverbooked = 16

    /// How long the answer waits for room. Short enough for two dispatchers to be asked one after the other; see `answerWithin`.
    package var hold = Duration.milliseconds(1_200)
    /// From the offer to the answer. A worker has 10 s, but the request of the room for a job ends after 3 s (`psrpc.DefaultClientTimeout`), of which
    /// the choice among nodes takes 0.2; what is answered later is ignored, and the room stays without an agent.
    package var answerWithin = Duration.milliseconds(2_500)
    /// From our yes to the assignment; then the place is given to others. As LiveKit's own workers have it.
    package var assignWithin = Duration.milliseconds(7_500)
    /// From the assignment until the session runs; then the job has failed. As long as callers with WebSockets wait in line by default.
    package var startWithin = Duration.seconds(20)
    /// The pause before another attempt to start a session.
    package var startRetry = Duration.milliseconds(250)

    /// From the open connection to the answer to our registration.
    package var registerWithin = Duration.seconds(10)
    package var updateEvery = Duration.milliseconds(2_500)
    /// Two pings without an answer and the connection is made anew.
    package var pingEvery = Duration.seconds(10)
    /// A connection that has lasted for so long was a good one: after its end the next one is tried soon.
    package var stableAfter = Duration.seconds(10)

    package init(agentName: String) {
        self.agentName = agentName
    }
}
