import Resilience

/// The buckets of one process, for the time that Redis does not answer. A value; it reads no clock.
///
/// It knows a bounded number of subjects. At the bound those whose buckets are full again are forgotten, which loses nothing; when there
/// are none, all new subjects of a limit share one bucket of it until there is room again.
package struct LocalBuckets: Sendable {
    private struct Key: Hashable {
        var what: String
        /// Nil: shared by the subjects for which there was no room.
        var subject: LimitSubject?
        var limit: RateLimit
    }

    /// Looking through all buckets for full ones takes time, so an attacker's subjects do not cause it one by one.
    private static let sweepInterval = Duration.seconds(1)

    private let maximumSubjects: Int
    /// The part of each limit that this process gives out.
    private let share: Double
    private var buckets: [Key: TokenBucket] = [:]
    private var swept: ContinuousClock.Instant?

    package init(maximumSubjects: Int = 10_000, share: Double = 1) {
        self.maximumSubjects = max(1, maximumSubjects)
        self.share = min(1, max(0, share))
    }

    /// Subjects that are known now, and the shared buckets.
    package var count: Int { buckets.count }

    /// As `LimitStore.take`.
    package mutating func take(_ requests: [BucketRequest], now: ContinuousClock.Instant) -> LimitRefusal? {
        let keys = requests.map { find($0, now) }
        var refusal: LimitRefusal?
        for (key, request) in zip(keys, requests) {
            let available = buckets[key]?.available(now: now) ?? 0
            let missing = request.count + request.reserve * share - available
            guard missing > 1e-6 else { continue }
            let wait = wait(for: missing, request)
            if refusal == nil || isLonger(wait, than: refusal?.retryAfter) {
                refusal = LimitRefusal(request, retryAfter: wait)
            }
        }
        guard refusal == nil else { return refusal }
        for (key, request) in zip(keys, requests) { change(key, by: request.count, now) }
        return nil
    }

    /// As `LimitStore.charge`, but never below nothing.
    package mutating func charge(_ requests: [BucketRequest], now: ContinuousClock.Instant) {
        for request in requests { change(find(request, now), by: request.count, now) }
    }

    private mutating func change(_ key: Key, by count: Double, _ now: ContinuousClock.Instant) {
        guard let available = buckets[key]?.available(now: now) else { return }
        if count < 0 {
            buckets[key]?.put(-count, now: now)
        } else {
            _ = buckets[key]?.take(min(count, available), now: now)
        }
    }

    private func wait(for missing: Double, _ request: BucketRequest) -> Duration? {
        guard request.limit.perSecond * share > 0, request.count + request.reserve * share <= capacity(request) else {
            return nil
        }
        return .seconds(missing / (request.limit.perSecond * share))
    }

    private func isLonger(_ wait: Duration?, than other: Duration?) -> Bool {
        guard let other else { return false }
        return wait.map { $0 > other } ?? true
    }

    /// A small share of a small limit still lets one through.
    private func capacity(_ request: BucketRequest) -> Double {
        max(request.limit.burst * share, min(1, request.limit.burst))
    }

    /// The bucket of a request, made if need be.
    private mutating func find(_ request: BucketRequest, _ now: ContinuousClock.Instant) -> Key {
        var key = Key(what: request.what, subject: request.subject, limit: request.limit)
        if buckets[key] != nil { return key }
        if buckets.count >= maximumSubjects { sweep(now) }
        if buckets.count >= maximumSubjects { key.subject = nil }
        if buckets[key] == nil {
            buckets[key] = TokenBucket(
                capacity: capacity(request), refillPerSecond: request.limit.perSecond * share, now: now)
        }
        return key
    }

    private mutating func sweep(_ now: ContinuousClock.Instant) {
        if let swept, now - swept < Self.sweepInterval { return }
        swept = now
        buckets = buckets.filter { $0.value.available(now: now) < $0.value.capacity }
    }
}
