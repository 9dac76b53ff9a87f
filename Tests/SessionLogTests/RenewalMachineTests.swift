import Testing

@testable import SessionLog

struct RenewalMachineTests {
    @Test func `a new stream renews at once, then once a second`() {
        var machine = RenewalMachine()
        machine.connected()
        #expect(machine.tick(now: 0) == .renew(id: 1))
        machine.answered(id: 1, available: true)
        #expect(machine.tick(now: 999) == nil)
        #expect(machine.tick(now: 1000) == .renew(id: 2))
    }

    @Test func `a renewal without an answer means a broken stream, before the lease is over`() {
        var machine = RenewalMachine()
        machine.connected()
        _ = machine.tick(now: 0)
        #expect(machine.tick(now: 1000) == .renew(id: 2))
        machine.answered(id: 2, available: true)
        #expect(machine.tick(now: 2500) == .reconnect)
        machine.connected()
        #expect(machine.tick(now: 2600) == .renew(id: 3))
    }

    @Test func `a stream that still answers is only slow, and given up later`() {
        var machine = RenewalMachine()
        machine.connected()
        _ = machine.tick(now: 0)
        machine.heard(now: 2400)
        #expect(machine.tick(now: 2500) == .renew(id: 2))
        #expect(machine.tick(now: 3000) == nil)
        machine.heard(now: 4800)
        #expect(machine.tick(now: 4999) == .renew(id: 3))
        #expect(machine.tick(now: 5000) == .reconnect)
    }

    @Test func `the store's word on Redis is kept, late words of an old stream are not`() {
        var machine = RenewalMachine()
        machine.connected()
        _ = machine.tick(now: 0)
        machine.answered(id: 1, available: false)
        #expect(!machine.isRedisAvailable)
        machine.answered(id: 1, available: true)
        #expect(!machine.isRedisAvailable)
    }
}
