import Testing

@testable import SessionStoreService

struct AppendBatcherTests {
    private func batcher(limit: Int = 100, events: Int = 10) -> AppendBatcher<String> {
        AppendBatcher(interval: 5, maximumEvents: events, limit: limit)
    }

    /// Actions as text: `send 0: a b`, `wake at 5`.
    private func text(_ actions: [AppendBatcher<String>.Action]?) -> [String]? {
        actions?.map { action in
            switch action {
            case .send(let partition, let items): "send \(partition): \(items.joined(separator: " "))"
            case .wake(let time): "wake at \(time)"
            }
        }
    }

    @Test func `the first append goes at once, the next ones together after the interval`() {
        var batcher = batcher()
        #expect(text(batcher.add("a", events: 1, partition: 0, now: 0)) == ["send 0: a"])
        #expect(text(batcher.finished(partition: 0, now: 1)) == [])
        #expect(text(batcher.add("b", events: 1, partition: 0, now: 2)) == ["wake at 5"])
        #expect(text(batcher.add("c", events: 1, partition: 0, now: 3)) == [])
        #expect(text(batcher.timer(now: 5)) == ["send 0: b c"])
    }

    @Test func `what all partitions have goes at one moment`() {
        var batcher = batcher()
        #expect(text(batcher.add("a", events: 1, partition: 0, now: 0)) == ["send 0: a"])
        #expect(text(batcher.add("b", events: 1, partition: 1, now: 1)) == ["wake at 5"])
        #expect(text(batcher.add("c", events: 1, partition: 2, now: 2)) == [])
        #expect(text(batcher.add("d", events: 1, partition: 0, now: 3)) == [])
        // The batch of partition 0 is not answered yet.
        #expect(text(batcher.timer(now: 5)) == ["send 1: b", "send 2: c"])
        #expect(text(batcher.finished(partition: 0, now: 6)) == ["wake at 10"])
        #expect(text(batcher.finished(partition: 1, now: 7)) == [])
        #expect(text(batcher.timer(now: 10)) == ["send 0: d"])
    }

    @Test func `one batch of a partition is under way at a time, others do not wait for it`() {
        var batcher = batcher()
        _ = batcher.add("a", events: 1, partition: 0, now: 0)
        #expect(text(batcher.add("b", events: 1, partition: 0, now: 50)) == [])
        #expect(text(batcher.add("x", events: 1, partition: 1, now: 50)) == ["send 1: x"])
        #expect(text(batcher.finished(partition: 0, now: 60)) == ["send 0: b"])
    }

    @Test func `a batch is bounded in events and keeps the order`() {
        var batcher = batcher()
        _ = batcher.add("a", events: 1, partition: 0, now: 0)
        for (item, events) in [("b", 6), ("c", 4), ("d", 1), ("e", 20), ("f", 1)] {
            _ = batcher.add(item, events: events, partition: 0, now: 1)
        }
        #expect(text(batcher.finished(partition: 0, now: 10)) == ["send 0: b c"])
        #expect(text(batcher.finished(partition: 0, now: 20)) == ["send 0: d"])
        #expect(text(batcher.finished(partition: 0, now: 30)) == ["send 0: e"])
        #expect(text(batcher.finished(partition: 0, now: 40)) == ["send 0: f"])
        #expect(batcher.waiting == 0)
    }

    @Test func `beyond the bound nothing is taken, and there is room again when a batch has gone`() {
        var batcher = batcher(limit: 3)
        _ = batcher.add("a", events: 3, partition: 0, now: 0)
        #expect(batcher.add("b", events: 3, partition: 0, now: 0) != nil)
        #expect(batcher.add("c", events: 1, partition: 1, now: 0) == nil)
        _ = batcher.finished(partition: 0, now: 9)
        #expect(batcher.add("c", events: 1, partition: 1, now: 9) != nil)
    }
}
