import Resilience
import Testing

@Suite struct TokenBucketTests {
    private let start = ContinuousClock().now

    @Test func aBurstIsAllowedThenTheSteadyRate() {
        var bucket = TokenBucket(capacity: 3, refillPerSecond: 2, now: start)
        for _ in 0..<3 { #expect(bucket.take(now: start) == .taken) }
        #expect(bucket.take(now: start) == .refused(retryAfter: .milliseconds(500)))
        #expect(bucket.take(now: start + .milliseconds(500)) == .taken)
        #expect(bucket.take(now: start + .milliseconds(750)) == .refused(retryAfter: .milliseconds(250)))
    }

    @Test func tokensNeverExceedTheCapacity() {
        var bucket = TokenBucket(capacity: 2, refillPerSecond: 10, now: start)
        bucket.put(100, now: start)
        #expect(bucket.available(now: start + .seconds(100)) == 2)
    }

    @Test func whatCanNeverBeGrantedSaysSo() {
        var bucket = TokenBucket(capacity: 2, refillPerSecond: 1, now: start)
        #expect(bucket.take(3, now: start) == .refused(retryAfter: nil))
        var once = TokenBucket(capacity: 1, refillPerSecond: 0, now: start)
        #expect(once.take(now: start) == .taken)
        #expect(once.take(now: start + .seconds(1000)) == .refused(retryAfter: nil))
    }

    @Test func aClockThatStepsBackGivesNothing() {
        var bucket = TokenBucket(capacity: 1, refillPerSecond: 1, now: start)
        #expect(bucket.take(now: start) == .taken)
        #expect(bucket.take(now: start - .seconds(10)) == .refused(retryAfter: .seconds(1)))
        #expect(bucket.available(now: start + .seconds(1)) == 1)
    }
}
