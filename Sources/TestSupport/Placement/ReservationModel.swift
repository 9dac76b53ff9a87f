package import Placement

/// What the scripts of `WorkerRegistry` do for one worker, in Swift and without Redis. A value; time is passed in, in ms.
package struct ReservationModel: Sendable {
    package let capacity: Double
    package var isDraining = false
    /// As of the last beat that counted.
    package private(set) var load = 0.0
    package private(set) var reserved = 0.0
    private var sequence: Int64 = 0
    private struct Open {
        var weight: Double
        var isTakeover: Bool
    }
    private var open: [Int: Open] = [:]
    private var takeovers = 0
    /// In the order of their making, which is the order in which they lapse.
    private var made: [(reservation: Int, expiry: Int64)] = []
    private var oldest = 0

    package init(capacity: Double) { self.capacity = capacity }

    package var used: Double { load + reserved }
    package var openReservations: Int { open.count }

    /// As the script of `WorkerRegistry.reserve`.
    package mutating func reserve(
        _ reservation: Int, weight: Double, share: Double, purpose: PlacementRequest.Purpose, now: Int64
    ) -> WorkerRegistry.Reservation {
        lapse(now)
        if isDraining { return .draining }
        if open[reservation] != nil { return .ok }
        guard PlacementPolicy.fits(weight, used: used, capacity: capacity, reserve: share) else { return .full }
        if purpose == .takeover, takeovers >= WorkerRegistry.maximumTakeovers { return .busy }
        open[reservation] = Open(weight: weight, isTakeover: purpose == .takeover)
        reserved += weight
        if purpose == .takeover { takeovers += 1 }
        made.append((reservation, now + WorkerRegistry.reservationMilliseconds))
        return .ok
    }

    /// As the script of `WorkerRegistry.beat`; false for a beat that came late.
    @discardableResult
    package mutating func beat(load: Double, usedReservations: [Int], sequence: Int64) -> Bool {
        guard sequence >= self.sequence else { return false }
        self.sequence = sequence
        self.load = load
        for reservation in usedReservations { remove(reservation) }
        return true
    }

    /// As `WorkerRegistry.cancel`.
    package mutating func cancel(_ reservation: Int) { remove(reservation) }

    /// Forgets what has lapsed.
    package mutating func lapse(_ now: Int64) {
        while oldest < made.count, made[oldest].expiry <= now {
            remove(made[oldest].reservation)
            oldest += 1
        }
        guard oldest > 1_024, oldest * 2 > made.count else { return }
        made.removeFirst(oldest)
        oldest = 0
    }

    private mutating func remove(_ reservation: Int) {
        guard let found = open.removeValue(forKey: reservation) else { return }
        reserved -= found.weight
        if found.isTakeover { takeovers -= 1 }
        if open.isEmpty { reserved = 0 }
    }
}
