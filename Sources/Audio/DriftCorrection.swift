/// Follows a client whose clock runs a little faster or slower than ours.
///
/// The smallest lag within a second is what jitter leaves of it: if that lies more than 20 ms off the clock, the packets of
/// the next second each lose, or repeat, one sample in 320 (inaudible; up to 3,000 ppm). A lead of more than 200 ms, which is
/// no drift but a burst, is worked off with one sample in 64.
struct DriftCorrection: Sendable, Hashable {
    private static let tolerance = SessionTime.milliseconds(20)
    private static let window = SessionTime.milliseconds(1_000)
    private static let large = SessionTime.milliseconds(200)

    private var windowEnd = SessionTime.zero
    private var smallestLag: SessionTime?
    /// Samples to leave out (positive) or repeat (negative) per 320.
    private var correction: Int = 0

    /// Forgets the past, after a stall.
    mutating func restart(at position: SessionTime) {
        windowEnd = position + Self.window
        smallestLag = nil
        correction = 0
    }

    /// Notes how far session time, now at `position`, lies behind the clock (negative: ahead) behind a packet.
    mutating func observe(lag: SessionTime, at position: SessionTime) {
        let smallest = min(smallestLag ?? lag, lag)
        smallestLag = smallest
        guard position >= windowEnd else { return }
        restart(at: position)
        if smallest > Self.tolerance { correction = -1 }
        if smallest < -Self.tolerance { correction = smallest < -Self.large ? 5 : 1 }
    }

    /// How many samples of a packet of `count` to leave out; negative: to repeat.
    func samplesToLeaveOut(of count: Int) -> Int {
        guard correction != 0, count > 1 else { return 0 }
        let size = min(max(1, abs(correction) * count / 320), count / 2)
        return correction > 0 ? size : -size
    }
}
