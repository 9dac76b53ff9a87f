/// What a token allows in rooms. What is nil or false is left out of the token; the comments say what servers make of that.
package struct LiveKitVideoGrant: Sendable, Equatable {
    /// Creating and deleting rooms.
    package var roomCreate = false
    /// Listing rooms.
    package var roomList = false
    /// Starting, listing and stopping recordings.
    package var roomRecord = false
    /// Managing the participants, data and agents of `room`.
    package var roomAdmin = false
    /// Joining `room`.
    package var roomJoin = false
    /// The room that `roomAdmin` and `roomJoin` are about.
    package var room = ""
    /// Nil allows it.
    package var canPublish: Bool?
    /// Nil allows it.
    package var canSubscribe: Bool?
    /// Nil is as `canPublish`.
    package var canPublishData: Bool?
    /// Empty for all; otherwise only these may be published.
    package var canPublishSources: [LiveKitTrackSource] = []
    /// Nil forbids it: then attributes and metadata cannot be set, and no error says so.
    package var canUpdateOwnMetadata: Bool?
    /// Managing ingresses.
    package var ingressAdmin = false
    /// Others do not see the participant, nor hear it.
    package var hidden = false
    /// Registering as an agent worker, and in a room an agent's privileges.
    package var agent = false

    package init() {}

    /// Managing one room.
    package static func admin(of room: String) -> LiveKitVideoGrant {
        var grant = LiveKitVideoGrant()
        grant.roomAdmin = true
        grant.room = room
        return grant
    }

    /// Joining one room.
    package static func join(_ room: String) -> LiveKitVideoGrant {
        var grant = LiveKitVideoGrant()
        grant.roomJoin = true
        grant.room = room
        return grant
    }
}

/// What a token allows with telephone calls.
package struct LiveKitSIPGrant: Sendable, Equatable {
    /// Managing trunks and dispatch rules.
    package var admin: Bool
    /// Making and transferring calls.
    package var call: Bool

    package init(admin: Bool = false, call: Bool = false) {
        self.admin = admin
        self.call = call
    }
}
