/// An outbound telephone call into a room.
package struct LiveKitCall: Sendable, Equatable {
    /// The trunk to call over, `ST_...`.
    package var trunk: String
    /// Whom to call: a number, or a SIP user of the trunk.
    package var number: String
    package var room: String
    /// Of the participant that the callee becomes; the server makes one up when it is empty.
    package var identity = ""
    package var name = ""
    package var metadata = ""
    package var attributes: [String: String] = [:]
    /// The number that the callee sees, one of the trunk's; empty for any of them.
    package var from = ""
    /// Sent when the call is answered; `w` waits for half a second.
    package var dtmf = ""
    /// Until it counts as not answered; at most 80 s.
    package var ringing: Duration?
    /// Return when the callee has answered instead of when the phone rings; who does not answer is an error then.
    package var waitUntilAnswered = false

    package init(trunk: String, number: String, room: String) {
        self.trunk = trunk
        self.number = number
        self.room = room
    }
}
