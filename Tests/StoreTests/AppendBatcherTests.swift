import Testing

@testable import SessionStoreService

struct AppendBatcherTests {
    /// A batcher that expectations can change, and whose actions are text: `send a b`, `wake at 5`, or nil.
    private final class Batcher {
        private var batcher: AppendBatcher<String>

        init(limit: Int = 100) { batcher = AppendBatcher(interval: 5, maximumEvents: 10, limit: limit) }

        var waiting: Int { batcher.waiting }

        func add(_ item: String, events: Int) -> Bool { batcher.add(item, events: events) }
        func finished() { batcher.finished() }
        func timer() { batcher.timer() }

        func next(at now: Int64) -> String? {
            switch batcher.next(now: now) {
            case .send(let items): "send \(items.joined(separator: " "))"
            case .wake(let time): "wake at \(time)"
            case nil: nil
            }
        }
    }

    @Test func `the first append goes at once, the next ones together after the interval`() {
        let batcher = Batcher()
        #expect(batcher.next(at: 0) == nil)
        #expect(batcher.add("a", events: 1))
        #expect(batcher.next(at: 0) == "send a")
        batcher.finished()
        #expect(batcher.next(at: 1) == nil)
        #expect(batcher.add("b", events: 1))
        #expect(batcher.next(at: 2) == "wake at 5")
        #expect(batcher.add("c", events: 1))
        #expect(batcher.next(at: 3) == nil)
        batcher.timer()
        #expect(batcher.next(at: 5) == "send b c")
    }

    @Test func `one batch is under way at a time`() {
        let batcher = Batcher()
        #expect(batcher.add("a", events: 1))
        #expect(batcher.next(at: 0) == "send a")
        #expect(batcher.add("b", events: 1))
        #expect(batcher.next(at: 50) == nil)
        batcher.finished()
        #expect(batcher.next(at: 60) == "send b")
    }

    @Test func `a timer that comes early asks for another one`() {
        let batcher = Batcher()
        #expect(batcher.add("a", events: 1))
        #expect(batcher.next(at: 0) == "send a")
        batcher.finished()
        #expect(batcher.add("b", events: 1))
        #expect(batcher.next(at: 1) == "wake at 5")
        batcher.timer()
        #expect(batcher.next(at: 4) == "wake at 5")
    }

    @Test func `a batch is bounded in events and keeps the order`() {
        let batcher = Batcher()
        for (item, events) in [("a", 1), ("b", 6), ("c", 4), ("d", 1), ("e", 20), ("f", 1)] {
            #expect(batcher.add(item, events: events))
        }
        for (time, sent) in [(0, "send a b"), (10, "send c d"), (20, "send e"), (30, "send f")] {
            #expect(batcher.next(at: Int64(time)) == sent)
            batcher.finished()
        }
        #expect(batcher.waiting == 0)
    }

    @Test func `beyond the bound nothing is taken, and there is room again when a batch has gone`() {
        let batcher = Batcher(limit: 3)
        #expect(batcher.add("a", events: 3))
        #expect(!batcher.add("b", events: 1))
        #expect(batcher.next(at: 0) == "send a")
        #expect(batcher.add("b", events: 3))
        #expect(!batcher.add("c", events: 0))
    }
}
