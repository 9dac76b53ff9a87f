import NIOCore
import WireCoding

/// What a caller in a room has to say of itself and of the agent that it hears: a line of JSON of `Tests/python/livekit_callers.py`.
struct RoomEvent: Sendable, Equatable {
    enum Kind: String, Sendable {
        case ready, joined, left, audible, silent, failed
        case agentJoined = "agent-joined"
        case agentLeft = "agent-left"
        case streamBegins = "stream-begins"
        case streamEnds = "stream-ends"
        case spokeFrom = "spoke-from"
        case spokeTo = "spoke-to"
    }

    /// The moment now as events have it.
    static var now: Double { Double(NIODeadline.now().uptimeNanoseconds) / 1e9 }

    var kind: Kind
    var caller: Int
    /// Seconds of the system's monotonic clock.
    var at: Double
    var detail = ""

    init(_ kind: Kind, caller: Int, at: Double, detail: String = "") {
        self.kind = kind
        self.caller = caller
        self.at = at
        self.detail = detail
    }

    init(line: String) throws {
        guard let root = try? JSONDocument(line).root, let kind = root["event"].string.flatMap(Kind.init(rawValue:)),
            let caller = root["caller"].int, let at = root["at"].double
        else { throw CommandError("the callers said '\(line.prefix(200))', which is no event") }
        self.init(kind, caller: caller, at: at, detail: root["detail"].string ?? "")
    }
}

extension [RoomEvent] {
    /// The first event of a kind after a moment.
    func first(_ kind: RoomEvent.Kind, after moment: Double) -> RoomEvent? {
        var found: RoomEvent?
        // What is asked for is near the end. Silence is reported later than it began, so the order is not that of the moments.
        for event in reversed() where event.kind == kind {
            guard event.at > moment else { break }
            found = event
        }
        return found
    }
}
