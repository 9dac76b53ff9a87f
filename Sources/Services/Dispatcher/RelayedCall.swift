import NIOCore
import Placement
import RateLimits
import RelayLink

/// The call of one caller's connection, as far as whoever carries it has to know it.
struct RelayedCall: Sendable {
    let session: String
    let tenant: String
    /// The number of this connection among those of the session's client.
    let generation: UInt32
    /// What it needs of a worker.
    let needs: PlacementRequest
    /// Its place among the concurrent sessions of tenant and key; held as long as the connection.
    var lease: Lease?
    /// The highest fence seen.
    var fence: UInt64
    /// What the client may come back with; empty where it cannot.
    var resumeToken = ""
    /// What the client came with; forgotten once this connection has a token of its own.
    var oldToken = ""
    /// Nobody's connection depends on this dispatcher: where somebody else has claimed the session, it is theirs.
    var givesWay = false
    /// A worker has had the session on this connection.
    var wasAccepted = false
}

/// The search for a worker that takes a session, from the first try on: a new call, a worker that is gone, a worker that gives the session away.
struct RelayMove: Sendable {
    enum Reason: String, Sendable { case opened, takeover, drain, adopt }

    /// A caller who is kept waiting longer would rather call again.
    static let patienceForNew = TimeAmount.seconds(10)
    /// As long as a session waits for its caller, its caller waits for a worker.
    static let patienceForOld = TimeAmount.seconds(30)

    let reason: Reason
    let since: NIODeadline
    /// Workers that are gone, or have refused the session a moment ago.
    var excluded: Set<String> = []
    private(set) var attempts = 0
    /// What went wrong last, for the caller.
    var problem = "no worker took the call in time; try again"

    init(_ reason: Reason, since: NIODeadline) {
        self.reason = reason
        self.since = since
    }

    var deadline: NIODeadline { since + (reason == .opened ? Self.patienceForNew : Self.patienceForOld) }

    /// How long to wait before the next try: not at all before the second, then from 50 ms up to a second. Whoever has refused is asked again then.
    mutating func next() -> TimeAmount {
        attempts += 1
        guard attempts > 1 else { return .zero }
        if attempts > 3 { excluded = [] }
        return .milliseconds(min(1_000, 25 << Int64(min(attempts, 8))))
    }
}
