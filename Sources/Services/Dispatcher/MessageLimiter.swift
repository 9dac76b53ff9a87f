package import RateLimits
package import Resilience
import Synchronization

/// How many messages one caller may send: audio in packets of 20 ms is 50 a second. A value; it reads no clock.
package struct MessageLimiter: Sendable {
    private var bucket: TokenBucket?
    private let limit: RateLimit?

    /// Without a limit everything passes.
    package init(_ limit: RateLimit?, now: ContinuousClock.Instant) {
        self.limit = limit
        bucket = limit.map { TokenBucket(capacity: $0.burst, refillPerSecond: $0.perSecond, now: now) }
    }

    /// Counts one message. A caller that sends too many is cut off with what is returned: leaving messages out would make holes in its speech.
    package mutating func receive(now: ContinuousClock.Instant) -> AdmissionError? {
        guard let limit, bucket?.take(now: now) ?? .taken != .taken else { return nil }
        return AdmissionError(
            .rateLimited, "too many messages: \(limit) is the limit; send audio in packets of 20 to 100 ms")
    }
}

/// The messages of all callers of a tenant together. Counted here and taken from the tenant's bucket in Redis by the tenth of a second, so
/// that no message waits: a tenant may go over its limit by that much per dispatcher.
package final class TenantMessages: Sendable {
    private struct Account {
        /// Taken from the bucket and not used yet; below nothing: used and not taken yet.
        var stock: Double
        var isAsking = false
        /// The bucket was empty when it was asked last; until then nobody is asked again.
        var emptyUntil: ContinuousClock.Instant?
    }

    /// Tenants that are counted; with more of them the others are not.
    private static let maximumTenants = 10_000

    private let limiter: RateLimiter
    private let limit: RateLimit?
    private let clock: any MonotonicClock
    private let accounts = Mutex<[String: Account]>([:])
    private let asked = AsyncStream<String>.makeStream(bufferingPolicy: .bufferingNewest(10_000))

    /// Without a limit everything passes.
    package init(_ limiter: RateLimiter, limit: RateLimit?, clock: any MonotonicClock = ContinuousClock()) {
        self.limiter = limiter
        self.limit = limit
        self.clock = clock
    }

    private var portion: Double { max(1, (limit?.perSecond ?? 0) / 10) }

    /// Counts one message of a tenant; what is returned cuts its caller off.
    package func receive(tenant: String) -> AdmissionError? {
        guard let limit else { return nil }
        let now = clock.now
        let (isOver, mustAsk) = accounts.withLock { accounts in
            guard var account = accounts[tenant] ?? (accounts.count < Self.maximumTenants ? Account(stock: 0) : nil)
            else {
                return (false, false)
            }
            account.stock -= 1
            let isWaiting = account.emptyUntil.map { $0 > now } ?? false
            let isOver = isWaiting && account.stock < -portion
            if isOver { account.stock += 1 }
            let mustAsk = account.stock < portion / 2 && !account.isAsking && !isWaiting
            if mustAsk { account.isAsking = true }
            accounts[tenant] = account
            return (isOver, mustAsk)
        }
        if mustAsk { asked.continuation.yield(tenant) }
        guard isOver else { return nil }
        return AdmissionError(
            .rateLimited, "too many messages of all callers together: \(limit) is the limit of the tenant")
    }

    /// Takes from buckets in Redis until cancelled.
    package func run() async {
        for await tenant in asked.stream { await ask(tenant) }
    }

    private func ask(_ tenant: String) async {
        guard let limit else { return }
        var emptyFor: Duration?
        do {
            try await limiter.take([BucketRequest("messages", .tenant(tenant), limit, count: portion)])
        } catch {
            emptyFor = error.retryAfter ?? .seconds(1)
        }
        let now = clock.now
        accounts.withLock { accounts in
            accounts[tenant]?.isAsking = false
            if let emptyFor {
                accounts[tenant]?.emptyUntil = now + emptyFor
            } else {
                accounts[tenant]?.emptyUntil = nil
                accounts[tenant]?.stock += portion
            }
        }
    }
}
