import BackendKit

/// Who is in the room besides the agent, and whom the agent listens to. Pure.
struct RoomPeople {
    /// Whom the agent listens to.
    enum Follow: Equatable {
        /// Whoever is there first, then the next one.
        case first
        case participant(String)
        /// Whoever speaks, one at a time.
        case activeSpeaker
    }

    struct Person: Equatable {
        var identity: String
        var isPhone: Bool
        /// The microphone's publication, where there is one.
        var microphone: String?
    }

    /// LiveKit's numbers of participant kinds.
    enum Kind: UInt32 {
        case standard = 0, ingress, egress, sip, agent, connector, bridge
        var isPerson: Bool { self == .standard || self == .sip || self == .connector }
    }

    /// LiveKit's reasons for which somebody is gone for good; others may come back.
    private static let finalReasons: Set<UInt32> = [1, 4, 5, 10, 11, 12]

    let follow: Follow
    /// In the order in which they came.
    private(set) var people: [Person] = []

    init(follow: Follow) { self.follow = follow }

    mutating func joined(_ identity: String, kind: UInt32) {
        guard let kind = Kind(rawValue: kind), kind.isPerson, !people.contains(where: { $0.identity == identity }) else { return }
        people.append(Person(identity: identity, isPhone: kind == .sip))
    }

    mutating func left(_ identity: String) { people.removeAll { $0.identity == identity } }

    mutating func published(_ identity: String, microphone: String) { change(identity) { $0.microphone = microphone } }
    mutating func unpublished(_ identity: String, microphone: String) {
        change(identity) { if $0.microphone == microphone { $0.microphone = nil } }
    }

    private mutating func change(_ identity: String, _ body: (inout Person) -> Void) {
        guard let index = people.firstIndex(where: { $0.identity == identity }) else { return }
        body(&people[index])
    }

    /// Those whose microphones are listened to.
    var followed: [Person] {
        switch follow {
        case .first: Array(people.prefix(1))
        case .participant(let identity): people.filter { $0.identity == identity }
        case .activeSpeaker: people
        }
    }

    /// The telephone caller whom the agent listens to, where nobody else is there to go on talking with.
    var lonePhone: String? {
        guard people.count == 1, let person = followed.first, person.isPhone else { return nil }
        return person.identity
    }

    func isFollowed(_ identity: String) -> Bool { followed.contains { $0.identity == identity } }
    func isPerson(_ identity: String) -> Bool { people.contains { $0.identity == identity } }

    /// What the end of a call says of this reason. When a room is deleted or closed, its people may be told of before the agent is.
    static func departure(_ reason: UInt32) -> String { reason == 5 || reason == 10 ? "the room was closed" : "left the room" }

    /// Whether a person who has left with this reason may come back.
    static func mayReturn(_ reason: UInt32, isPhone: Bool) -> Bool { !isPhone && !finalReasons.contains(reason) }
}
