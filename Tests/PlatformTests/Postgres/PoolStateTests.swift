import Testing

@testable import PostgresClient

@Suite struct PoolStateTests {
    @Test func opensUpToItsLimitThenMakesCallersWaitThenRefuses() {
        var pool = PoolState(maximum: 2, maximumWaiters: 1)
        let answer1 = pool.request(waiter: 1)
        #expect(answer1 == .open)
        let answer2 = pool.request(waiter: 2)
        #expect(answer2 == .open)
        let answer3 = pool.request(waiter: 3)
        #expect(answer3 == .wait)
        let answer4 = pool.request(waiter: 4)
        #expect(answer4 == .refuse)
        #expect(pool.leased == 2)
    }

    @Test func aReturnedConnectionGoesToTheLongestWaiter() {
        var pool = PoolState(maximum: 1, maximumWaiters: 4)
        let answer5 = pool.request(waiter: 1)
        #expect(answer5 == .open)
        let answer6 = pool.request(waiter: 2)
        #expect(answer6 == .wait)
        let answer7 = pool.request(waiter: 3)
        #expect(answer7 == .wait)
        let answer8 = pool.release(10)
        #expect(answer8 == .give(connection: 10, to: 2))
        let answer9 = pool.release(10)
        #expect(answer9 == .give(connection: 10, to: 3))
        let answer10 = pool.release(10)
        #expect(answer10 == PoolState.Handover.none)
        let answer11 = pool.request(waiter: 4)
        #expect(answer11 == .use(10))
    }

    @Test func aBrokenConnectionsPlaceGoesToAWaiter() {
        var pool = PoolState(maximum: 1, maximumWaiters: 4)
        let answer12 = pool.request(waiter: 1)
        #expect(answer12 == .open)
        let answer13 = pool.request(waiter: 2)
        #expect(answer13 == .wait)
        let answer14 = pool.discard()
        #expect(answer14 == .letOpen(2))
        let answer15 = pool.discard()
        #expect(answer15 == PoolState.Handover.none)
        #expect(pool.places == 0)
        let answer16 = pool.request(waiter: 3)
        #expect(answer16 == .open)
    }

    @Test func aWaiterThatGaveUpIsPassedOver() {
        var pool = PoolState(maximum: 1, maximumWaiters: 4)
        let answer17 = pool.request(waiter: 1)
        #expect(answer17 == .open)
        let answer18 = pool.request(waiter: 2)
        #expect(answer18 == .wait)
        let answer19 = pool.forget(waiter: 2)
        #expect(answer19)
        let answer20 = pool.forget(waiter: 2)
        #expect(!answer20)
        let answer21 = pool.release(10)
        #expect(answer21 == PoolState.Handover.none)
    }

    @Test func closingRefusesWaitersAndClosesWhatComesBack() {
        var pool = PoolState(maximum: 2, maximumWaiters: 4)
        let answer22 = pool.request(waiter: 1)
        #expect(answer22 == .open)
        let answer23 = pool.request(waiter: 2)
        #expect(answer23 == .open)
        let answer24 = pool.request(waiter: 3)
        #expect(answer24 == .wait)
        let answer25 = pool.close()
        #expect(answer25.waiters == [3])
        let answer26 = pool.release(10)
        #expect(answer26 == .close(10))
        let answer27 = pool.discard()
        #expect(answer27 == PoolState.Handover.none)
        #expect(pool.places == 0)
        let answer28 = pool.request(waiter: 4)
        #expect(answer28 == .closed)
    }
}
