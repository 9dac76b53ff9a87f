/// Which workers may take a session, in which order they are tried, and how much of them new sessions leave free. Pure.
package enum PlacementPolicy {
    /// The workers that could take the session if they had room. What `excluding` names is still counted among them: see `reserve`.
    package static func peers(_ workers: [WorkerEntry], for request: PlacementRequest) -> [WorkerEntry] {
        workers.filter { worker in
            !worker.isDraining && worker.capacity > 0 && (request.region.isEmpty || worker.region == request.region)
                && request.labels.isSubset(of: worker.labels)
        }
    }

    /// The share of each worker that a session must leave free. New sessions leave 1/N of N workers, so that the others can carry one that
    /// dies, but never more than a half (a single worker has nobody to carry for) and at least a tenth; takeovers leave nothing.
    package static func reserve(workers count: Int, for purpose: PlacementRequest.Purpose = .new) -> Double {
        switch purpose {
        case .takeover: 0
        case .new where count > 1: min(0.5, max(WorkerRegistry.minimumReserve, 1 / Double(count)))
        case .new: WorkerRegistry.minimumReserve
        }
    }

    /// Whether `weight` more fits. Sums of weights are not exact, and a worker is not full for the sake of a billionth.
    package static func fits(_ weight: Double, used: Double, capacity: Double, reserve share: Double) -> Bool {
        used + weight <= capacity * (1 - share) + 1e-6
    }
}

/// The order in which workers are asked: the one under less pressure of two drawn at random, then all others by pressure.
///
/// Two choices at random spread load nearly as well as looking for the least loaded worker, and dispatchers that all know the same
/// slightly old numbers do not fall upon the same worker (Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001).
package struct PlacementOrder: Sequence, IteratorProtocol, Sendable {
    private let pressures: [Double]
    private var order: [Int]
    private var given = 0

    /// Yields the indices of `pressures`.
    package init<Generator: RandomNumberGenerator>(_ pressures: [Double], using generator: inout Generator) {
        self.pressures = pressures
        order = Array(pressures.indices)
        guard order.count > 1 else { return }
        order.swapAt(0, Int.random(in: 0..<order.count, using: &generator))
        order.swapAt(1, Int.random(in: 1..<order.count, using: &generator))
        if pressures[order[1]] < pressures[order[0]] { order.swapAt(0, 1) }
    }

    package mutating func next() -> Int? {
        guard given < order.count else { return nil }
        // Mostly the first one has room, and nobody needs the others in order.
        if given == 1 { order[1...].sort { pressures[$0] < pressures[$1] } }
        defer { given += 1 }
        return order[given]
    }
}
