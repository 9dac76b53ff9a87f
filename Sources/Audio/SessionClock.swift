/// Monotonic nanoseconds as session time. Goes on from an anchor, never backwards.
struct SessionClock: Sendable, Hashable {
    private var origin: UInt64 = 0
    private var position: SessionTime
    private var latest: UInt64 = 0

    init(position: SessionTime) {
        self.position = position
    }

    /// From now on `now` reads as `position`.
    mutating func anchor(_ position: SessionTime, at now: UInt64) {
        latest = max(latest, now)
        origin = latest
        self.position = position
    }

    /// Session time by the clock at `now`; a reading older than the latest counts as the latest.
    mutating func read(_ now: UInt64) -> SessionTime {
        latest = max(latest, now)
        // 16,000 samples per 1,000,000,000 ns, reduced.
        return position
            + SessionTime(samples: Int64((latest - origin) / 125_000 * 2 + (latest - origin) % 125_000 * 2 / 125_000))
    }
}
