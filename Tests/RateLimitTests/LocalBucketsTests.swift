import RateLimits
import Testing

/// A reference, because `#expect` calls nothing that changes a value.
private final class Buckets {
    private var value: LocalBuckets

    init(maximumSubjects: Int = 10_000, share: Double = 1) {
        value = LocalBuckets(maximumSubjects: maximumSubjects, share: share)
    }

    var count: Int { value.count }
    func take(_ requests: [BucketRequest], now: ContinuousClock.Instant) -> LimitRefusal? {
        value.take(requests, now: now)
    }
    func charge(_ requests: [BucketRequest], now: ContinuousClock.Instant) { value.charge(requests, now: now) }
}

@Suite struct LocalBucketsTests {
    private let start = ContinuousClock.now
    private let limit = RateLimit(perSecond: 2, burst: 4)

    @Test func aBurstPassesAndThenTheRate() {
        let buckets = Buckets()
        let request = BucketRequest("connections", .tenant("acme"), limit)
        for _ in 0..<4 { #expect(buckets.take([request], now: start) == nil) }
        let refusal = buckets.take([request], now: start)
        #expect(refusal?.subject == .tenant("acme"))
        #expect(refusal?.retryAfter == .milliseconds(500))
        #expect(buckets.take([request], now: start + .milliseconds(500)) == nil)
        #expect(buckets.take([request], now: start + .milliseconds(501)) != nil)
    }

    @Test func severalBucketsGiveAllOrNothing() {
        let buckets = Buckets()
        let tenant = BucketRequest("connections", .tenant("acme"), RateLimit(perSecond: 1, burst: 10))
        let key = BucketRequest("connections", .key("k1"), RateLimit(perSecond: 1, burst: 1))
        #expect(buckets.take([tenant, key], now: start) == nil)
        for _ in 0..<5 { #expect(buckets.take([tenant, key], now: start)?.subject == .key("k1")) }
        var all = tenant
        all.count = 9
        #expect(buckets.take([all], now: start) == nil)
    }

    @Test func aReserveIsLeftForWhatIsMoreImportant() {
        let buckets = Buckets()
        var request = BucketRequest("requests", .provider("openai/x"), limit, reserve: 3)
        #expect(buckets.take([request], now: start) == nil)
        #expect(buckets.take([request], now: start) != nil)
        request.reserve = 0
        #expect(buckets.take([request], now: start) == nil)
    }

    @Test func aShareOfALimitIsItsPart() {
        let buckets = Buckets(share: 0.5)
        let request = BucketRequest("requests", .provider("openai/x"), limit)
        #expect(buckets.take([request], now: start) == nil)
        #expect(buckets.take([request], now: start) == nil)
        #expect(buckets.take([request], now: start)?.retryAfter == .seconds(1))
    }

    @Test func moreThanTheBurstNeverPasses() {
        let buckets = Buckets()
        let refusal = buckets.take([BucketRequest("tokens", .provider("x"), limit, count: 5)], now: start)
        #expect(refusal != nil)
        #expect(refusal?.retryAfter == nil)
    }

    @Test func subjectsBeyondTheBoundShareOneBucket() {
        let buckets = Buckets(maximumSubjects: 100)
        func take(_ address: Int, _ now: ContinuousClock.Instant) -> LimitRefusal? {
            buckets.take([BucketRequest("connections", .address("\(address)"), limit)], now: now)
        }
        for address in 0..<100 { #expect(take(address, start) == nil) }
        for address in 100..<104 { #expect(take(address, start) == nil) }
        #expect(take(104, start) != nil)
        #expect(take(3, start) == nil)
        #expect(buckets.count == 101)
        // A minute later all are full again: forgetting them loses nothing.
        #expect(take(105, start + .seconds(60)) == nil)
        #expect(buckets.count == 1)
    }

    @Test func whatWasNotUsedIsGivenBack() {
        let buckets = Buckets()
        var request = BucketRequest("tokens", .provider("x"), limit, count: 4)
        #expect(buckets.take([request], now: start) == nil)
        request.count = -3
        buckets.charge([request], now: start)
        request.count = 3
        #expect(buckets.take([request], now: start) == nil)
    }

    @Test(arguments: [("50:500", RateLimit(perSecond: 50, burst: 500)), ("0.5:1", RateLimit(perSecond: 0.5, burst: 1))])
    func limitsAreWrittenAsRateAndBurst(_ text: String, _ limit: RateLimit) {
        #expect(RateLimit(parsing: text) == limit)
    }

    @Test(arguments: ["", "50", "50:", ":5", "0:5", "5:0", "-1:5", "a:b", "1:2:3", "nan:1", "inf:1"])
    func otherTextsAreNoLimits(_ text: String) { #expect(RateLimit(parsing: text) == nil) }

    @Test func limitsAreToldInWords() {
        #expect(RateLimit(perSecond: 50, burst: 500).description == "50 per second")
        #expect(RateLimit.perMinute(500).description == "500 per minute")
    }
}
