/// When the appends of a partition go to Redis: the first at once, the next at least an interval later and when the one before is answered,
/// so that many appends share a round trip when there are many. No I/O, no clock: times are monotonic milliseconds.
struct AppendBatcher<Item> {
    enum Action {
        /// Send these, in this order.
        case send(partition: Int, [Item])
        /// Call `timer(partition:now:)` then.
        case wake(partition: Int, at: Int64)
    }

    private struct Partition {
        var waiting: [(item: Item, events: Int)] = []
        var isBusy = false
        var isTimed = false
        var nextAt = Int64.min
    }

    private let interval: Int64
    private let maximumEvents: Int
    private let limit: Int
    private var partitions: [Int: Partition] = [:]
    /// Events that wait for their batch.
    private(set) var waiting = 0

    /// - Parameters:
    ///   - interval: between the starts of two batches of a partition
    ///   - maximumEvents: in one batch; an append with more goes alone
    ///   - limit: events that may wait, in all partitions
    init(interval: Int64, maximumEvents: Int, limit: Int) {
        self.interval = interval
        self.maximumEvents = max(1, maximumEvents)
        self.limit = limit
    }

    /// Nil: there is no room, the item was not taken.
    mutating func add(_ item: Item, events: Int, partition: Int, now: Int64) -> [Action]? {
        let weight = max(1, events)
        guard waiting + weight <= limit else { return nil }
        waiting += weight
        partitions[partition, default: Partition()].waiting.append((item, weight))
        return go(partition, now)
    }

    /// Redis answered the partition's batch, or did not.
    mutating func finished(partition: Int, now: Int64) -> [Action] {
        partitions[partition]?.isBusy = false
        return go(partition, now)
    }

    mutating func timer(partition: Int, now: Int64) -> [Action] {
        partitions[partition]?.isTimed = false
        return go(partition, now)
    }

    private mutating func go(_ partition: Int, _ now: Int64) -> [Action] {
        guard var state = partitions[partition], !state.isBusy, !state.waiting.isEmpty else { return [] }
        defer { partitions[partition] = state }
        guard now >= state.nextAt else {
            guard !state.isTimed else { return [] }
            state.isTimed = true
            return [.wake(partition: partition, at: state.nextAt)]
        }
        state.isBusy = true
        state.nextAt = now + interval
        return [.send(partition: partition, take(&state))]
    }

    private mutating func take(_ state: inout Partition) -> [Item] {
        var events = 0
        var count = 0
        for entry in state.waiting {
            guard count == 0 || events + entry.events <= maximumEvents else { break }
            events += entry.events
            count += 1
        }
        waiting -= events
        defer { state.waiting.removeFirst(count) }
        return state.waiting.prefix(count).map(\.item)
    }
}
