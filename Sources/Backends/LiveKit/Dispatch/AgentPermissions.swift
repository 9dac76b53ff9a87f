import SwiftProtobuf

/// What the agents of a worker may do in their rooms; the server puts it into the tokens of their jobs.
package struct AgentPermissions: Sendable, Hashable {
    package var canSubscribe: Bool
    package var canPublish: Bool
    package var canPublishData: Bool
    /// Needed for `lk.agent.state`, by which frontends show what the agent does.
    package var canUpdateMetadata: Bool
    /// The others in the room neither see nor hear the agent.
    package var isHidden: Bool

    package init(
        canSubscribe: Bool = true, canPublish: Bool = true, canPublishData: Bool = true, canUpdateMetadata: Bool = true, isHidden: Bool = false
    ) {
        self.canSubscribe = canSubscribe
        self.canPublish = canPublish
        self.canPublishData = canPublishData
        self.canUpdateMetadata = canUpdateMetadata
        self.isHidden = isHidden
    }

    var wire: AgentWireParticipantPermission {
        .with {
            $0.canSubscribe = canSubscribe
            $0.canPublish = canPublish
            $0.canPublishData = canPublishData
            $0.canUpdateMetadata = canUpdateMetadata
            $0.hidden = isHidden
            $0.agent = true
        }
    }
}
