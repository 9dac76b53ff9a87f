/// A clock that never goes back, real or driven by a test.
///
/// All of them share `ContinuousClock`'s instants, so that code can keep deadlines as plain values without being generic over
/// the clock.
package protocol MonotonicClock: Clock, Sendable where Duration == Swift.Duration, Instant == ContinuousClock.Instant {}

extension ContinuousClock: MonotonicClock {}
