/// A LiveKit server's wish for an agent in a room.
package struct AgentJob: Sendable, Hashable {
    /// The room that the agent is for.
    package struct Room: Sendable, Hashable {
        package var sid: String
        package var name: String
        package var metadata: String

        package init(sid: String = "", name: String, metadata: String = "") {
            self.sid = sid
            self.name = name
            self.metadata = metadata
        }
    }

    package var id: String
    /// What asked for the agent; several jobs may come of one dispatch.
    package var dispatchID: String
    /// The name that the agent was asked for by; empty for one that comes to every room.
    package var agentName: String
    /// Whatever was given along with the dispatch; often JSON.
    package var metadata: String
    package var attributes: [String: String]
    package var room: Room
    /// Set where the agent is for one participant and not for the room.
    package var participantIdentity: String?

    package init(
        id: String, dispatchID: String = "", agentName: String = "", metadata: String = "", attributes: [String: String] = [:],
        room: Room, participantIdentity: String? = nil
    ) {
        self.id = id
        self.dispatchID = dispatchID
        self.agentName = agentName
        self.metadata = metadata
        self.attributes = attributes
        self.room = room
        self.participantIdentity = participantIdentity
    }

    init(_ job: AgentWireJob) {
        self.init(
            id: job.id, dispatchID: job.dispatchID, agentName: job.agentName, metadata: job.metadata, attributes: job.attributes,
            room: Room(sid: job.room.sid, name: job.room.name, metadata: job.room.metadata),
            participantIdentity: job.hasParticipant ? job.participant.identity : nil)
    }
}
