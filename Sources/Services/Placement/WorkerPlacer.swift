import Cryptography

/// Finds a worker with room and reserves it there.
package struct WorkerPlacer: Sendable {
    package enum Outcome: Sendable, Hashable {
        case placed(WorkerEntry, reservation: String)
        /// Workers that could take the session are there, and none has room.
        case full
        /// No worker is there that could take the session.
        case nobody
    }

    private let registry: WorkerRegistry

    package init(_ registry: WorkerRegistry) { self.registry = registry }

    /// Asks workers for room until one has it, each once.
    package func place(_ request: PlacementRequest) async throws -> Outcome {
        let peers = PlacementPolicy.peers(try await registry.workers(), for: request)
        guard !peers.isEmpty else { return .nobody }
        let share = PlacementPolicy.reserve(workers: peers.count, for: request.purpose)
        let candidates = peers.filter { worker in
            !request.excluding.contains(worker.id)
                && PlacementPolicy.fits(request.weight, used: worker.used, capacity: worker.capacity, reserve: share)
        }
        let reservation = try RandomBytes.token(bytes: 16)
        var generator = SystemRandomNumberGenerator()
        for index in PlacementOrder(candidates.map(\.pressure), using: &generator) {
            let worker = candidates[index]
            let answer = try await registry.reserve(
                reservation, weight: request.weight, on: worker.id, reserve: share, purpose: request.purpose)
            if answer == .ok { return .placed(worker, reservation: reservation) }
        }
        return .full
    }

    /// Gives a reservation up that nobody will use.
    package func cancel(_ reservation: String, on worker: String) async throws {
        try await registry.cancel(reservation, on: worker)
    }
}
