import Synchronization
import Testing

@testable import MediaWorkerService

@Suite struct TakeoverQueueTests {
    /// Names of the takeovers that were started, in order.
    private final class Started: Sendable {
        private let names = Mutex<[String]>([])
        var all: [String] { names.withLock { $0 } }
        func entry(_ name: String) -> TakeoverQueue.Start { { _ in self.names.withLock { $0.append(name) } } }
    }

    private func run(_ due: [TakeoverQueue.Start]) { for start in due { start(TakeoverSlot()) } }

    @Test func atMostTwentyAreUnderWayAndUrgentOnesGoFirst() {
        var queue = TakeoverQueue()
        let started = Started()
        for number in 0..<TakeoverQueue.limit { run(queue.enter(isUrgent: false, started.entry("\(number)"))) }
        #expect(started.all.count == 20)
        run(queue.enter(isUrgent: false, started.entry("patient")))
        run(queue.enter(isUrgent: true, started.entry("urgent 1")))
        run(queue.enter(isUrgent: true, started.entry("urgent 2")))
        #expect(started.all.count == 20)
        for _ in 0..<3 { run(queue.leave()) }
        #expect(started.all.suffix(3) == ["urgent 1", "urgent 2", "patient"])
        for _ in 0..<20 { run(queue.leave()) }
        run(queue.enter(isUrgent: false, started.entry("later")))
        #expect(started.all.last == "later")
    }
}
