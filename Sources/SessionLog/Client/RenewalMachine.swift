/// When an owner renews its leases, and when its stream to the store has been silent for too long. No I/O, no clock: times are monotonic
/// milliseconds.
struct RenewalMachine {
    struct Timing: Equatable {
        /// A third of the lease: two renewals may be lost.
        var interval: Int64 = 1000
        /// A stream that owes the answer to a renewal and has been silent for so long is broken. One that still answers appends is only
        /// slow, and connecting again would make it slower; it is given up after twice the time.
        var patience: Int64 = 2500
    }

    enum Action: Equatable {
        case renew(id: UInt64)
        /// Connect again, elsewhere if possible.
        case reconnect
    }

    private let timing: Timing
    private var lastID: UInt64 = 0
    private var sentAt: [UInt64: Int64] = [:]
    private var nextAt: Int64?
    private var heardAt = Int64.min
    /// Whether Redis answered the store at the last renewal.
    private(set) var isRedisAvailable = true

    init(timing: Timing = Timing()) {
        self.timing = timing
    }

    /// A new stream: what the old one did not answer counts no more, and a renewal is due at once.
    mutating func connected() {
        sentAt = [:]
        nextAt = nil
    }

    mutating func tick(now: Int64) -> Action? {
        if let oldest = sentAt.values.min(), now - oldest >= timing.patience {
            let isSilent = now - max(heardAt, oldest) >= timing.patience
            if isSilent || now - oldest >= 2 * timing.patience { return .reconnect }
        }
        guard now >= nextAt ?? now else { return nil }
        nextAt = now + timing.interval
        lastID += 1
        sentAt[lastID] = now
        return .renew(id: lastID)
    }

    /// The store has said something, whatever it was.
    mutating func heard(now: Int64) {
        heardAt = now
    }

    mutating func answered(id: UInt64, available: Bool) {
        guard sentAt.removeValue(forKey: id) != nil else { return }
        isRedisAvailable = available
    }
}
