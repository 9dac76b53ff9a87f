/// The key and the patience of a simulated LiveKit server towards its agent workers; by default those of the real one.
package struct AgentServerConfiguration: Sendable {
    package var apiKey = "devkey"
    package var secret = "secret-of-the-simulated-livekit-server"
    package var version = "1.13.5"
    /// Load from which on a server has no worker to offer a job to.
    package var targetLoad: Float = 0.7
    /// From the connection to the registration.
    package var registerWithin = Duration.seconds(10)
    /// How long one worker may take to answer an offer.
    package var answerWithin = Duration.seconds(10)
    /// How long all workers together may: the room's request for a job ends then, and nobody asks again. Of its 3 s the choice among nodes takes
    /// 0.2, which there is none of here.
    package var requestWithin = Duration.milliseconds(2_800)
    package var maximumMessageBytes = 2 << 20
    /// Assignments go out when they are released, and not at once.
    package var holdsAssignments = false
    /// What comes first on a connection.
    package var greeting = Greeting.registration

    package enum Greeting: Sendable {
        case registration
        /// The registration is not answered.
        case silence
        /// A message that belongs elsewhere.
        case pong
    }

    package init() {}
}
