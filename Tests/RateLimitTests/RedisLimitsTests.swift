import Foundation
import RateLimits
import RedisClient
import TestDatabases
import Testing

/// Against a real Redis.
@Suite(.enabled(if: TestRedis.isAvailable, "PARLEY_TEST_REDIS_URL is not set"))
struct RedisLimitsTests {
    private let prefix = "test:\(UUID().uuidString):limit"
    /// Refills so slowly that no test sees it.
    private let still = 1e-6

    /// Clients of their own connections, as processes have.
    private func with<Result: Sendable>(
        clients count: Int = 1, _ body: ([RedisLimits], RedisClient) async throws -> Result
    ) async throws -> Result {
        try await TestRedis.with(clients: count) { clients in
            try await body(clients.map { RedisLimits(redis: $0, prefix: prefix) }, clients[0])
        }
    }

    private func request(_ subject: LimitSubject, _ burst: Double, rate: Double? = nil, count: Double = 1)
        -> BucketRequest
    {
        BucketRequest("x", subject, RateLimit(perSecond: rate ?? still, burst: burst), count: count)
    }

    // MARK: Buckets

    @Test func aBurstIsExactHoweverManyAsk() async throws {
        try await with(clients: 4) { (limits, _) async throws in
            let request = request(.tenant("acme"), 137)
            let taken = try await withThrowingTaskGroup(of: Bool.self) { group in
                for index in 0..<1_000 {
                    group.addTask { try await limits[index % 4].take([request]) == nil }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(taken == 137)
        }
    }

    @Test func severalBucketsGiveAllOrNothing() async throws {
        try await with { (limits, _) async throws in
            let address = request(.address("a"), 10)
            let key = request(.key("k"), 1)
            let tenant = request(.tenant("t"), 10)
            #expect(try await limits[0].take([address, key, tenant]) == nil)
            for _ in 0..<5 {
                #expect(try await limits[0].take([address, key, tenant])?.subject == .key("k"))
            }
            #expect(try await limits[0].take([request(.address("a"), 10, count: 9)]) == nil)
            #expect(try await limits[0].take([request(.tenant("t"), 10, count: 10)])?.subject == .tenant("t"))
        }
    }

    @Test func aRefusalSaysWhoTakesLongestAndHowLong() async throws {
        try await with { (limits, _) async throws in
            let quick = request(.key("quick"), 1, rate: 10)
            let slow = request(.tenant("slow"), 1, rate: 0.001)
            #expect(try await limits[0].take([quick, slow]) == nil)
            let refusal = try #require(try await limits[0].take([quick, slow]))
            #expect(refusal.subject == .tenant("slow"))
            let wait = try #require(refusal.retryAfter)
            #expect(wait > .seconds(900) && wait <= .seconds(1_000))
            let never = try await limits[0].take([slow, request(.key("big"), 1, count: 2)])
            #expect(never?.subject == .key("big"))
            #expect(never?.retryAfter == nil)
        }
    }

    @Test func tokensComeBackInRedisTime() async throws {
        try await with { (limits, redis) async throws in
            let request = request(.tenant("acme"), 100, rate: 10, count: 100)
            #expect(try await limits[0].take([request]) == nil)
            #expect(try await limits[0].take([request]) != nil)
            // Five seconds ago by the bucket's own time.
            let key = "\(prefix):bucket:x:tenant:acme"
            let then = try await redis.send(RedisCommand("HGET", .string(key), "u")).integer ?? 0
            _ = try await redis.send(RedisCommand("HSET", .string(key), "u", .integer(then - 5_000_000)))
            var half = request
            half.count = 50
            #expect(try await limits[0].take([half]) == nil)
            #expect(try await limits[0].take([half]) != nil)
        }
    }

    @Test func aBucketIsGoneWhenItWouldBeFull() async throws {
        try await with { (limits, redis) async throws in
            _ = try await limits[0].take([request(.tenant("acme"), 100, rate: 10, count: 50)])
            let life =
                try await redis.send(RedisCommand("PTTL", .string("\(prefix):bucket:x:tenant:acme"))).integer ?? 0
            #expect(life > 1_000 && life <= 6_000)
        }
    }

    @Test func aReserveIsLeft() async throws {
        try await with { (limits, _) async throws in
            var speculative = request(.provider("openai/x"), 10, count: 1)
            speculative.reserve = 8
            #expect(try await limits[0].take([speculative]) == nil)
            #expect(try await limits[0].take([speculative]) == nil)
            #expect(try await limits[0].take([speculative]) != nil)
            #expect(try await limits[0].take([request(.provider("openai/x"), 10, count: 8)]) == nil)
        }
    }

    @Test func whatWasUsedIsChargedAndTheRestGivenBack() async throws {
        try await with { (limits, _) async throws in
            #expect(try await limits[0].take([request(.provider("x"), 10, count: 10)]) == nil)
            try await limits[0].charge([request(.provider("x"), 10, count: 5)])
            try await limits[0].charge([request(.provider("x"), 10, count: -6)])
            #expect(try await limits[0].take([request(.provider("x"), 10)]) == nil)
            #expect(try await limits[0].take([request(.provider("x"), 10)]) != nil)
        }
    }

    // MARK: Leases

    private func held(_ member: String, _ subject: LimitSubject) -> HeldLease {
        HeldLease(member: member, what: "sessions", subject: subject)
    }

    @Test func aMaximumIsExactHoweverManyAsk() async throws {
        try await with(clients: 4) { (limits, _) async throws in
            let tenant = LeaseRequest("sessions", .tenant("acme"), maximum: 17)
            let taken = try await withThrowingTaskGroup(of: Bool.self) { group in
                for index in 0..<200 {
                    group.addTask { try await limits[index % 4].acquire("s-\(index)", [tenant]) == nil }
                }
                return try await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(taken == 17)
        }
    }

    @Test func severalSubjectsGiveAllOrNothing() async throws {
        try await with { (limits, _) async throws in
            let places = [
                LeaseRequest("sessions", .tenant("t"), maximum: 5), LeaseRequest("sessions", .key("k"), maximum: 1),
            ]
            #expect(try await limits[0].acquire("s-1", places) == nil)
            #expect(try await limits[0].acquire("s-1", places) == nil)
            #expect(try await limits[0].acquire("s-2", places)?.subject == .key("k"))
            #expect(try await !limits[0].isHeld(held("s-2", .tenant("t"))))
            try await limits[0].release([held("s-1", .tenant("t")), held("s-1", .key("k"))])
            #expect(try await limits[0].acquire("s-2", places) == nil)
            #expect(try await limits[0].isHeld(held("s-2", .tenant("t"))))
            #expect(try await !limits[0].isHeld(held("s-1", .tenant("t"))))
        }
    }

    @Test func aLeaseThatNobodyRenewsLapses() async throws {
        try await with { (limits, redis) async throws in
            let tenant = LeaseRequest("sessions", .tenant("acme"), maximum: 1)
            #expect(try await limits[0].acquire("s-1", [tenant]) == nil)
            let key = "\(prefix):lease:sessions:tenant:acme"
            let expiry = try await redis.send(RedisCommand("ZSCORE", .string(key), "s-1")).integer ?? 0
            // The key outlives its members, by a second.
            let end = try await redis.send(RedisCommand("PEXPIRETIME", .string(key))).integer ?? 0
            #expect(end >= expiry && end <= expiry + 1_100)
            // Its time is over.
            _ = try await redis.send(
                RedisCommand("ZADD", .string(key), .integer(expiry - RedisLimits.leaseMilliseconds - 1), "s-1"))
            #expect(try await !limits[0].isHeld(held("s-1", .tenant("acme"))))
            #expect(try await limits[0].acquire("s-2", [tenant]) == nil)
        }
    }

    @Test func renewalBringsBackWhatRedisHasForgotten() async throws {
        try await with { (limits, redis) async throws in
            let all = (0..<1_200).map { held("s-\($0)", .tenant("t-\($0 % 3)")) }
            try await limits[0].renew(all)
            _ = try await redis.send(RedisCommand("DEL", .string("\(prefix):lease:sessions:tenant:t-0")))
            try await limits[0].renew(all)
            for tenant in 0..<3 {
                let count = try await redis.send(
                    RedisCommand("ZCARD", .string("\(prefix):lease:sessions:tenant:t-\(tenant)"))
                ).integer
                #expect(count == 400)
            }
        }
    }

    @Test func aReserveOfPlacesIsLeft() async throws {
        try await with { (limits, _) async throws in
            let speculative = LeaseRequest("requests", .provider("openai"), maximum: 3, reserve: 2)
            #expect(try await limits[0].acquire("1", [speculative]) == nil)
            #expect(try await limits[0].acquire("2", [speculative]) != nil)
            #expect(
                try await limits[0].acquire("2", [LeaseRequest("requests", .provider("openai"), maximum: 3)]) == nil)
        }
    }
}
