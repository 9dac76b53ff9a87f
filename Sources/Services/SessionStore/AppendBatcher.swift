/// When appends go to Redis: the first at once, the next at least an interval later and when the batch before is answered. So many appends share
/// a script call and the way to Redis, which cost more than they do. No I/O, no clock: times are monotonic milliseconds.
struct AppendBatcher<Item> {
    enum Action {
        /// Send these, in this order.
        case send([Item])
        /// Call `timer(now:)` then.
        case wake(at: Int64)
    }

    private let interval: Int64
    private let maximumEvents: Int
    private let limit: Int
    private var items: [(item: Item, events: Int)] = []
    private var isBusy = false
    private var isTimed = false
    private var nextAt = Int64.min
    /// Events that wait for their batch.
    private(set) var waiting = 0

    /// - Parameters:
    ///   - interval: between two moments of sending
    ///   - maximumEvents: in one batch; an append with more goes alone
    ///   - limit: events that may wait
    init(interval: Int64, maximumEvents: Int, limit: Int) {
        self.interval = interval
        self.maximumEvents = max(1, maximumEvents)
        self.limit = limit
    }

    /// False: there is no room, the item was not taken.
    mutating func add(_ item: Item, events: Int) -> Bool {
        let weight = max(1, events)
        guard waiting + weight <= limit else { return false }
        waiting += weight
        items.append((item, weight))
        return true
    }

    /// Redis answered the batch, or did not.
    mutating func finished() { isBusy = false }

    /// The time of `wake` has come.
    mutating func timer() { isTimed = false }

    /// What to do now, after any of the above.
    mutating func next(now: Int64) -> Action? {
        guard !items.isEmpty, !isBusy else { return nil }
        guard now >= nextAt else {
            guard !isTimed else { return nil }
            isTimed = true
            return .wake(at: nextAt)
        }
        nextAt = now + interval
        isBusy = true
        return .send(take())
    }

    private mutating func take() -> [Item] {
        var events = 0
        var count = 0
        for entry in items {
            guard count == 0 || events + entry.events <= maximumEvents else { break }
            events += entry.events
            count += 1
        }
        defer { items.removeFirst(count) }
        waiting -= events
        return items.prefix(count).map(\.item)
    }
}
