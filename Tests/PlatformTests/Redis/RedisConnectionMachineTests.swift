import NIOCore
import Testing

@testable import RedisClient

struct RedisConnectionMachineTests {
    private func request(_ id: UInt64, deadline: UInt64 = 1000) -> RedisConnectionMachine.Request {
        .init(id: id, deadline: .uptimeNanoseconds(deadline))
    }

    private func ready(limit: Int = 10) -> RedisConnectionMachine {
        var machine = RedisConnectionMachine(limit: limit, greetingReplies: 1)
        _ = machine.start()
        _ = machine.connected()
        _ = machine.received(.status("OK"))
        return machine
    }

    private let lost = RedisError(.connectionLost, "lost")

    @Test func `the first command connects, and is sent when the greeting is answered`() {
        var machine = RedisConnectionMachine(limit: 10, greetingReplies: 2)
        #expect(machine.submit([request(1)]) == [.connect])
        #expect(machine.submit([request(2)]) == [])
        #expect(machine.connected() == [.greet])
        #expect(machine.received(.status("OK")) == [])
        #expect(machine.received(.status("OK")) == [.write([1, 2])])
        #expect(machine.submit([request(3)]) == [.write([3])])
    }

    @Test func `replies go to commands in the order in which they were sent`() {
        var machine = ready()
        _ = machine.submit([request(1), request(2)])
        _ = machine.submit([request(3)])
        #expect(machine.received(.integer(10)) == [.complete(1, .integer(10))])
        #expect(machine.received(.integer(20)) == [.complete(2, .integer(20))])
        #expect(machine.received(.error("ERR no")) == [.complete(3, .error("ERR no"))])
        #expect(machine.inFlight == 0)
    }

    @Test func `at the bound a whole group is refused and nothing of it is sent`() {
        var machine = ready(limit: 2)
        #expect(machine.submit([request(1)]) == [.write([1])])
        #expect(machine.submit([request(2), request(3)]) == [.fail([2, 3], RedisError(.busy, ""))])
        #expect(machine.submit([request(4)]) == [.write([4])])
    }

    @Test func `a lost connection fails what was sent, and is tried again with growing waits`() {
        var machine = ready()
        _ = machine.submit([request(1), request(2)])
        #expect(machine.disconnected(lost) == [.fail([1, 2], lost), .retryLater(attempt: 0)])
        #expect(machine.submit([request(3)]) == [.fail([3], RedisError(.unavailable, ""))])
        #expect(machine.retry() == [.connect])
        #expect(machine.submit([request(4)]) == [])
        #expect(machine.disconnected(lost) == [.fail([4], lost), .retryLater(attempt: 1)])
        #expect(machine.retry() == [.connect])
        #expect(machine.connected() == [.greet])
        #expect(machine.received(.status("OK")) == [])
        #expect(machine.disconnected(lost) == [.retryLater(attempt: 0)])
    }

    @Test func `one late reply ends the connection for all, a reply that came in time does not`() {
        var machine = ready()
        _ = machine.submit([request(1, deadline: 100), request(2, deadline: 200)])
        #expect(machine.check(now: .uptimeNanoseconds(99)) == [])
        _ = machine.received(.null)
        #expect(machine.check(now: .uptimeNanoseconds(150)) == [])
        #expect(
            machine.check(now: .uptimeNanoseconds(200))
                == [.fail([2], RedisError(.timeout, "")), .disconnect, .retryLater(attempt: 0)])
    }

    @Test func `a password that Redis refuses fails whoever waits`() {
        var machine = RedisConnectionMachine(limit: 10, greetingReplies: 2)
        _ = machine.submit([request(1)])
        _ = machine.connected()
        #expect(
            machine.received(.error("WRONGPASS"))
                == [.fail([1], RedisError(.unavailable, "")), .disconnect, .retryLater(attempt: 0)])
    }

    @Test func `a reply that nobody asked for is a violation`() {
        var machine = ready()
        #expect(machine.received(.null) == [.disconnect, .retryLater(attempt: 0)])
    }

    @Test func `a closed client fails everything and never connects again`() {
        var machine = ready()
        _ = machine.submit([request(1)])
        #expect(machine.stop() == [.fail([1], RedisError(.closed, "")), .disconnect])
        #expect(machine.submit([request(2)]) == [.fail([2], RedisError(.closed, ""))])
        #expect(machine.retry() == [])
        #expect(machine.disconnected(lost) == [])
        #expect(machine.connected() == [.disconnect])
    }
}
