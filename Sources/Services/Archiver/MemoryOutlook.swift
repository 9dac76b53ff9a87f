/// How long Redis can take in events while PostgreSQL takes none, from how its memory grows. Pure.
struct MemoryOutlook: Sendable {
    private var samples: [(at: ContinuousClock.Instant, used: Double)] = []
    private var limit = 0.0

    /// Growth is judged over this time.
    private static let window: Duration = .seconds(120)
    /// Share of the memory at which new sessions are refused.
    private static let fullAt = 0.75
    /// What is reported when nothing grows: a week.
    static let longest = 10_080.0

    /// Takes a sample in bytes; `limit` is what Redis may use.
    mutating func add(used: Double, limit: Double, at now: ContinuousClock.Instant) {
        self.limit = limit
        samples.append((now, used))
        samples.removeAll { now - $0.at > Self.window }
    }

    /// Minutes until new sessions are refused, at most `longest`; nil before there are two samples or without a known limit.
    var minutesLeft: Double? {
        guard limit > 0, let first = samples.first, let last = samples.last, last.at > first.at else { return nil }
        let (seconds, attoseconds) = (last.at - first.at).components
        let growth = (last.used - first.used) / (Double(seconds) + Double(attoseconds) / 1e18)
        let room = max(0, limit * Self.fullAt - last.used)
        guard growth > 0 else { return room > 0 ? Self.longest : 0 }
        return min(room / growth / 60, Self.longest)
    }
}
