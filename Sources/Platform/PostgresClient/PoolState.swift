/// Who holds, waits for and opens connections. Pure: it hands out numbers and says what to do.
struct PoolState: Sendable {
    enum Answer: Equatable, Sendable {
        /// Take this idle connection.
        case use(Int)
        /// Open one; its place is reserved. Report `opened` or `failedToOpen`.
        case open
        /// Queued; `release`, `discard` or `failedToOpen` will name the waiter.
        case wait
        case refuse
        case closed
    }

    /// What becomes of a place that is free again.
    enum Handover: Equatable, Sendable {
        /// The connection goes to this waiter.
        case give(connection: Int, to: Int)
        /// There is a place but no connection: this waiter opens one.
        case letOpen(Int)
        case none
        /// The pool is closed: close the connection.
        case close(Int)
    }

    private let maximum: Int
    private let maximumWaiters: Int
    /// Last in, first out: unused ones go stale together instead of each staying half warm.
    private var idle: [Int] = []
    private var waiters: [Int] = []
    /// Places taken: leased, idle or being opened.
    private(set) var places = 0
    private(set) var isClosed = false

    init(maximum: Int, maximumWaiters: Int) {
        self.maximum = maximum
        self.maximumWaiters = maximumWaiters
    }

    var waiting: Int { waiters.count }
    var leased: Int { places - idle.count }

    mutating func request(waiter: Int) -> Answer {
        if isClosed { return .closed }
        if let connection = idle.popLast() { return .use(connection) }
        if places < maximum {
            places += 1
            return .open
        }
        guard waiters.count < maximumWaiters else { return .refuse }
        waiters.append(waiter)
        return .wait
    }

    /// A good connection comes back.
    mutating func release(_ connection: Int) -> Handover {
        if isClosed {
            places -= 1
            return .close(connection)
        }
        if !waiters.isEmpty { return .give(connection: connection, to: waiters.removeFirst()) }
        idle.append(connection)
        return .none
    }

    /// A leased connection is gone, or could not be opened.
    mutating func discard() -> Handover {
        if !isClosed, !waiters.isEmpty { return .letOpen(waiters.removeFirst()) }
        places -= 1
        return .none
    }

    /// The waiter gave up. false when it had been served before.
    mutating func forget(waiter: Int) -> Bool {
        guard let index = waiters.firstIndex(of: waiter) else { return false }
        waiters.remove(at: index)
        return true
    }

    /// Returns the idle connections to close and the waiters to refuse.
    mutating func close() -> (idle: [Int], waiters: [Int]) {
        isClosed = true
        defer {
            places -= idle.count
            idle = []
            waiters = []
        }
        return (idle, waiters)
    }
}
