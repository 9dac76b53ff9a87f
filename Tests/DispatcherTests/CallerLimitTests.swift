import NIOCore
import RateLimits
import Resilience
import Telemetry
import Testing

@testable import DispatcherService

@Suite struct CallerAddressTests {
    private let proxies = ["10.0.0.0/8", "fd00::/8"].compactMap { AddressBlock($0) }

    private func address(_ socket: String, _ forwarded: String..., trusted: [AddressBlock]? = nil) throws -> String {
        CallerAddress.of(
            try SocketAddress(ipAddress: socket, port: 1), forwarded: forwarded, trusted: trusted ?? proxies)
    }

    @Test func headersOfStrangersAreNotBelieved() throws {
        #expect(try address("203.0.113.1", "198.51.100.1") == "203.0.113.1")
        #expect(try address("10.0.0.1", "198.51.100.1", trusted: []) == "10.0.0.1")
    }

    @Test func theLastAddressThatIsNoProxyCalled() throws {
        #expect(try address("10.0.0.1", "198.51.100.1") == "198.51.100.1")
        #expect(try address("10.0.0.1", "6.6.6.6, 198.51.100.1, 10.2.3.4") == "198.51.100.1")
        #expect(try address("fd00::1", "6.6.6.6", "2001:db8::7") == "2001:db8::7")
        #expect(try address("10.0.0.1") == "10.0.0.1")
        #expect(try address("10.0.0.1", "10.9.9.9") == "10.9.9.9")
    }

    @Test(arguments: ["unknown", "", "1.2.3.4.5", "1.2.3.4:80"]) func whatIsNoAddressIsNotBelieved(_ text: String)
        throws
    {
        #expect(try address("10.0.0.1", "198.51.100.1, " + text) == "10.0.0.1")
    }

    @Test func blocksContainWhatTheirLengthSays() throws {
        let block = try #require(AddressBlock("192.168.128.0/17"))
        #expect(block.contains("192.168.200.1"))
        #expect(!block.contains("192.168.127.255"))
        #expect(!block.contains("::1"))
        #expect(AddressBlock("127.0.0.1")?.contains("::ffff:127.0.0.1") == true)
        #expect(AddressBlock("::/0")?.contains("2001:db8::1") == true)
    }

    @Test(arguments: ["", "10.0.0.0/33", "10.0.0.0/x", "10.0.0/8", "10.0.0.0/8/8", "host"])
    func otherTextsAreNoBlocks(_ text: String) { #expect(AddressBlock(text) == nil) }

    @Test func oneCustomersIPv6AddressesAreOneSubject() {
        #expect(CallerAddress.subject("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64")
        #expect(CallerAddress.subject("::ffff:192.0.2.1") == "::ffff:192.0.2.1")
        #expect(CallerAddress.subject("192.0.2.1") == "192.0.2.1")
    }
}

@Suite(.timeLimit(.minutes(1))) struct MessageLimiterTests {
    private let start = ContinuousClock.now

    @Test func audioInPacketsOf20MillisecondsPasses() {
        var limiter = MessageLimiter(RateLimit(perSecond: 200, burst: 2_000), now: start)
        for packet in 0..<3_000 {
            let refusal = limiter.receive(now: start + .milliseconds(20 * packet))
            #expect(refusal == nil)
        }
    }

    @Test func aFloodIsCutOff() {
        var limiter = MessageLimiter(RateLimit(perSecond: 200, burst: 2_000), now: start)
        let refused = (0..<2_000).count { _ in limiter.receive(now: start) != nil }
        #expect(refused == 0)
        let error = limiter.receive(now: start)
        #expect(error?.code == .rateLimited)
        #expect(
            error?.message == "too many messages: 200 per second is the limit; send audio in packets of 20 to 100 ms")
    }

    @Test func withoutALimitEverythingPasses() {
        var limiter = MessageLimiter(nil, now: start)
        let refused = (0..<10_000).count { _ in limiter.receive(now: start) != nil }
        #expect(refused == 0)
    }

    @Test func aTenantsCallersShareOneLimit() async throws {
        let clock = ManualClock()
        let store = FakeLimits()
        let shared = SharedLimits(store, clock: clock, metrics: MetricsRegistry())
        let messages = TenantMessages(RateLimiter(shared), limit: RateLimit(perSecond: 100, burst: 200), clock: clock)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await messages.run() }
            var passed = 0
            while messages.receive(tenant: "acme") == nil {
                passed += 1
                await Task.yield()
            }
            // All that the bucket in Redis had, and what passed until it was known to be empty.
            #expect(passed >= 200)
            #expect(store.taken(of: .tenant("acme")) == 200)
            #expect(messages.receive(tenant: "other") == nil)
            group.cancelAll()
        }
    }
}
