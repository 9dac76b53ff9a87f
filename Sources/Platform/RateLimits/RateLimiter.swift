import Resilience
import Synchronization

/// Decides how often something may happen: Redis does while it answers, otherwise this process alone by buckets of its own.
package final class RateLimiter: Sendable {
    private let shared: SharedLimits
    private let local: Mutex<LocalBuckets>

    /// - Parameters:
    ///   - localShare: the part of each limit that this process gives out while Redis is away
    ///   - maximumLocalSubjects: see `LocalBuckets`
    package init(_ shared: SharedLimits, localShare: Double = 1, maximumLocalSubjects: Int = 10_000) {
        self.shared = shared
        local = Mutex(LocalBuckets(maximumSubjects: maximumLocalSubjects, share: localShare))
    }

    /// Takes from all buckets or from none.
    ///
    /// - Throws: which limit of whom refuses; of several, the one that takes longest.
    package func take(_ buckets: [BucketRequest]) async throws(LimitRefusal) {
        guard let what = buckets.first?.what else { return }
        let answer = await shared.ask(what) { store in Answer(refusal: try await store.take(buckets)) }
        let refusal: LimitRefusal?
        if let answer { refusal = answer.refusal } else { refusal = takeLocally(buckets) }
        guard let refusal else { return }
        shared.refused(refusal)
        throw refusal
    }

    /// Takes what has been used without asking, or gives back (a negative count) what was taken and not used.
    package func charge(_ buckets: [BucketRequest]) async {
        guard let what = buckets.first?.what else { return }
        let answer: Void? = await shared.ask(what) { store in try await store.charge(buckets) }
        if answer == nil { local.withLock { $0.charge(buckets, now: shared.clock.now) } }
    }

    private func takeLocally(_ buckets: [BucketRequest]) -> LimitRefusal? {
        local.withLock { $0.take(buckets, now: shared.clock.now) }
    }

    private struct Answer: Sendable { var refusal: LimitRefusal? }
}
