/// Whether and when a caller whose socket is gone connects again. Pure: time is given in nanoseconds.
struct ReturnPlan {
    enum Decision: Equatable {
        /// Connect to the dispatcher of this number after so many milliseconds.
        case connect(target: Int, after: Int64)
        case giveUp
    }

    /// Milliseconds before the attempts; the last one counts for all that follow.
    private static let delays: [Int64] = [20, 50, 100, 200, 400]

    /// How many dispatchers there are to choose from.
    private let targets: Int
    private var target = 0
    private(set) var token: String?
    private var window: Int64 = 0
    private var until: Int64?
    private var attempts = 0

    init(targets: Int) { self.targets = max(1, targets) }

    /// The server's permission to come back; a newer one replaces it.
    mutating func granted(_ token: String, windowSeconds: Double) {
        self.token = token
        window = Int64(windowSeconds * 1_000_000_000)
    }

    /// The socket, or an attempt, came to nothing.
    mutating func lost(code: UInt16, at now: Int64) -> Decision {
        let isReturning = until != nil
        guard token != nil, isReturning || Self.mayReturn(code) else { return .giveUp }
        let end = until ?? now + window
        until = end
        guard now < end else { return .giveUp }
        target = (target + 1) % targets
        let delay = Self.delays[min(attempts, Self.delays.count - 1)]
        attempts += 1
        return .connect(target: target, after: delay)
    }

    /// The server speaks to the caller again.
    mutating func returned() {
        until = nil
        attempts = 0
    }

    /// 1006: the socket broke; 1011 and 1012: the server's own failure or restart.
    private static func mayReturn(_ code: UInt16) -> Bool { [1_006, 1_011, 1_012].contains(code) }
}
