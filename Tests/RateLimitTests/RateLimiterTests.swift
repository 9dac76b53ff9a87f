import RateLimits
import Resilience
import Telemetry
import Testing

@Suite(.timeLimit(.minutes(1))) struct RateLimiterTests {
    private let store = FakeLimitStore()
    private let clock = ManualClock()
    private let metrics = MetricsRegistry()
    private let request = BucketRequest("connections", .tenant("acme"), RateLimit(perSecond: 1, burst: 2))

    private var shared: SharedLimits { SharedLimits(store, clock: clock, metrics: metrics) }
    private func local(_ what: String = "connections") -> Double {
        metrics.value("parley_limit_local_total", labels: ["limit": what]) ?? 0
    }

    @Test func redisDecidesWhileItAnswers() async throws {
        let limiter = RateLimiter(shared)
        for _ in 0..<10 { try await limiter.take([request]) }
        let refusal = LimitRefusal(request, retryAfter: .seconds(3))
        store.feel(.answers(refusal))
        await #expect(throws: refusal) { try await limiter.take([request]) }
        #expect(local() == 0)
        let labels = ["limit": "connections", "subject": "tenant"]
        #expect(metrics.value("parley_limit_refusals_total", labels: labels) == 1)
    }

    @Test func whileRedisIsAwayTheProcessDecides() async throws {
        let limiter = RateLimiter(shared)
        store.feel(.away)
        try await limiter.take([request])
        try await limiter.take([request])
        let refusal = await #expect(throws: LimitRefusal.self) { try await limiter.take([request]) }
        #expect(refusal?.retryAfter == .seconds(1))
        #expect(local() == 3)
    }

    @Test func redisThatIsSlowIsNotWaitedFor() async throws {
        let limiter = RateLimiter(shared)
        store.feel(.silent)
        async let taken: Void = limiter.take([request])
        try await clock.waitForSleepers()
        clock.advance(by: .milliseconds(100))
        try await taken
        #expect(local() == 1)
    }

    @Test func redisThatStaysAwayIsNotAskedEveryTime() async throws {
        let limiter = RateLimiter(shared)
        store.feel(.away)
        for _ in 0..<50 { try? await limiter.take([request]) }
        #expect(store.asked.taken.count < 10)
        store.feel(.answers(nil))
        clock.advance(by: .seconds(2))
        for _ in 0..<10 { try await limiter.take([request]) }
        #expect(local() == 50)
    }

    @Test func withoutBucketsNobodyIsAsked() async throws {
        try await RateLimiter(shared).take([])
        #expect(store.asked.taken.isEmpty)
    }
}
