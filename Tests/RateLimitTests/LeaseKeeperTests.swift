import RateLimits
import Resilience
import Telemetry
import Testing

@Suite(.timeLimit(.minutes(1))) struct LeaseKeeperTests {
    private let store = FakeLimitStore()
    private let clock = ManualClock()
    private let keeper: LeaseKeeper
    private let places = [
        LeaseRequest("sessions", .tenant("acme"), maximum: 4), LeaseRequest("sessions", .key("k1"), maximum: 3),
    ]

    init() { keeper = LeaseKeeper(SharedLimits(store, clock: clock, metrics: MetricsRegistry()), localShare: 0.5) }

    private func held(_ member: String) -> Set<HeldLease> {
        Set(places.map { HeldLease(member: member, what: $0.what, subject: $0.subject) })
    }

    @Test func whatIsHeldIsRenewedTogether() async throws {
        let first = try await keeper.acquire("s-1", places)
        let second = try await keeper.acquire("s-2", places)
        await keeper.renew()
        #expect(store.asked.renewed.map(Set.init) == [held("s-1").union(held("s-2"))])
        first.release()
        await keeper.renew()
        #expect(store.asked.renewed.last.map(Set.init) == held("s-2"))
        _ = second
    }

    @Test func renewalsGoOnByThemselves() async throws {
        let lease = try await keeper.acquire("s-1", places)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await keeper.run() }
            while store.asked.renewed.count < 3 {
                clock.advance(by: .milliseconds(50))
                await Task.yield()
            }
            group.cancelAll()
        }
        _ = lease
    }

    @Test func aLeaseThatNobodyHasIsGivenBack() async throws {
        do { _ = try await keeper.acquire("s-1", places) }
        await keeper.tell()
        #expect(Set(store.asked.released) == held("s-1"))
        #expect(keeper.count == 0)
    }

    @Test func releasingTwiceIsOnce() async throws {
        let lease = try await keeper.acquire("s-1", places)
        let other = try await keeper.acquire("s-2", places)
        lease.release()
        lease.release()
        #expect(lease.member == nil)
        #expect(keeper.count == 1)
        _ = other
    }

    @Test func aMemberHeldTwiceIsGivenBackByTheLast() async throws {
        let first = try await keeper.acquire("s-1", places)
        let second = try await keeper.acquire("s-1", places)
        first.release()
        await keeper.tell()
        #expect(store.asked.released.isEmpty)
        second.release()
        await keeper.tell()
        #expect(Set(store.asked.released) == held("s-1"))
    }

    @Test func aPlaceTakenInAdvanceGetsTheNameOfItsSession() async throws {
        let lease = try await keeper.acquire("new-1", places)
        lease.rename(to: "s-1")
        await keeper.tell()
        #expect(lease.member == "s-1")
        #expect(store.asked.renewed.last.map(Set.init) == held("s-1"))
        #expect(Set(store.asked.released) == held("new-1"))
        lease.release()
        await keeper.tell()
        #expect(Set(store.asked.released) == held("new-1").union(held("s-1")))
    }

    @Test func aRefusalHoldsNothing() async throws {
        let refusal = LimitRefusal(places[0])
        store.feel(.answers(refusal))
        await #expect(throws: refusal) { _ = try await keeper.acquire("s-1", places) }
        #expect(keeper.count == 0)
        #expect(refusal.description == "limit of sessions reached for tenant acme: at most 4 at the same time")
    }

    @Test func whileRedisIsAwayTheProcessGivesItsShare() async throws {
        store.feel(.away)
        // Half of 3 is 1, of 4 it is 2.
        let first = try await keeper.acquire("s-1", places)
        let refusal = await #expect(throws: LimitRefusal.self) { _ = try await keeper.acquire("s-2", places) }
        #expect(refusal?.subject == .key("k1"))
        // Who holds a place may take it again.
        _ = try await keeper.acquire("s-1", places)
        first.release()
        _ = try await keeper.acquire("s-3", places)
    }

    @Test func redisThatComesBackIsToldWhatIsHeld() async throws {
        store.feel(.away)
        let lease = try await keeper.acquire("s-1", places)
        await keeper.renew()
        store.feel(.answers(nil))
        await keeper.renew()
        #expect(store.asked.renewed.last.map(Set.init) == held("s-1"))
        _ = lease
    }
}
