/// When appends go to Redis: the first at once, the next at least an interval later, those of all partitions at one moment, each partition's
/// when its batch before is answered. So many appends share a script call, and many script calls the way to Redis, which costs more than
/// they do. No I/O, no clock: times are monotonic milliseconds.
struct AppendBatcher<Item> {
    enum Action {
        /// Send these, in this order.
        case send(partition: Int, [Item])
        /// Call `timer(now:)` then.
        case wake(at: Int64)
    }

    private struct Partition {
        var waiting: [(item: Item, events: Int)] = []
        var isBusy = false
        var isReady = false
    }

    private let interval: Int64
    private let maximumEvents: Int
    private let limit: Int
    private var partitions: [Int: Partition] = [:]
    /// Partitions that have something to send and may.
    private var ready: [Int] = []
    private var isTimed = false
    private var nextAt = Int64.min
    /// Events that wait for their batch.
    private(set) var waiting = 0

    /// - Parameters:
    ///   - interval: between two moments of sending
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
        list(partition)
        return go(now)
    }

    /// Redis answered the partition's batch, or did not.
    mutating func finished(partition: Int, now: Int64) -> [Action] {
        partitions[partition]?.isBusy = false
        list(partition)
        return go(now)
    }

    mutating func timer(now: Int64) -> [Action] {
        isTimed = false
        return go(now)
    }

    private mutating func list(_ partition: Int) {
        guard let state = partitions[partition], !state.isBusy, !state.isReady, !state.waiting.isEmpty else { return }
        partitions[partition]?.isReady = true
        ready.append(partition)
    }

    private mutating func go(_ now: Int64) -> [Action] {
        guard !ready.isEmpty else { return [] }
        guard now >= nextAt else {
            guard !isTimed else { return [] }
            isTimed = true
            return [.wake(at: nextAt)]
        }
        nextAt = now + interval
        defer { ready = [] }
        return ready.map { .send(partition: $0, take($0)) }
    }

    private mutating func take(_ partition: Int) -> [Item] {
        guard var state = partitions.removeValue(forKey: partition) else { return [] }
        var events = 0
        var count = 0
        for entry in state.waiting {
            guard count == 0 || events + entry.events <= maximumEvents else { break }
            events += entry.events
            count += 1
        }
        let items = state.waiting.prefix(count).map(\.item)
        state.waiting.removeFirst(count)
        state.isBusy = true
        state.isReady = false
        partitions[partition] = state
        waiting -= events
        return items
    }
}
