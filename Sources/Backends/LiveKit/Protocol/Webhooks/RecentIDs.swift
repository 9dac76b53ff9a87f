/// Ids seen in the recent past, a bounded number of them.
struct RecentIDs: Sendable {
    private let capacity: Int
    private var times: [String: Int64] = [:]
    // In the order they came; what was removed or came again stays until its turn.
    private var order: [(id: String, time: Int64)] = []
    private var first = 0

    init(capacity: Int) { self.capacity = max(1, capacity) }

    var count: Int { times.count }

    /// Remembers an id; false when it was known. Times are in milliseconds; those before `limit` are forgotten, and the oldest
    /// when there are too many.
    mutating func insert(_ id: String, at time: Int64, forgettingBefore limit: Int64) -> Bool {
        while first < order.count, order[first].time < limit || order.count - first > capacity * 2 { forgetFirst() }
        guard times[id] == nil else { return false }
        while times.count >= capacity, first < order.count { forgetFirst() }
        times[id] = time
        order.append((id, time))
        return true
    }

    mutating func remove(_ id: String) { times[id] = nil }

    private mutating func forgetFirst() {
        let (id, time) = order[first]
        // The entry of an id that was removed and came again later is not this one.
        if times[id] == time { times[id] = nil }
        first += 1
        if first > 1_000, first > order.count / 2 {
            order.removeFirst(first)
            first = 0
        }
    }
}
