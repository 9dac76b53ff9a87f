import Foundation

/// Where a session takes place and as whom the agent is there; written by admission, kept in the session log, read by every owner.
package struct RoomGrantRecord: Codable, Sendable, Hashable {
    package var room: String
    /// The agent's identity: the same for every owner, so that a new one puts the old one out.
    package var identity: String
    /// The agent's name for people.
    package var name: String?
    /// The person whom the agent was called for; the agent follows that one.
    package var participant: String?

    package init(room: String, identity: String, name: String? = nil, participant: String? = nil) {
        self.room = room
        self.identity = identity
        self.name = name
        self.participant = participant
    }

    /// Nil for bytes that are none.
    package init?(handshake: [UInt8]) {
        guard let record = try? JSONDecoder().decode(Self.self, from: Data(handshake)) else { return nil }
        self = record
    }

    package var handshake: [UInt8] { (try? JSONEncoder().encode(self)).map(Array.init) ?? [] }
}
