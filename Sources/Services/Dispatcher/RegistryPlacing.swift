import Cryptography
import Logging
package import Placement

/// `WorkerPlacing` by reservations in Redis.
package struct RegistryPlacing: WorkerPlacing {
    private let registry: WorkerRegistry

    package init(_ registry: WorkerRegistry) { self.registry = registry }

    package func place(weight: Double, excluding: Set<String>) async throws -> WorkerPlace {
        let workers = try await registry.workers()
        guard !workers.isEmpty else { throw AdmissionError(.unavailable, "no media worker is running") }
        let reservation = try RandomBytes.token(bytes: 16)
        let share = PlacementPolicy.reserve(workers: workers.count)
        var generator = SystemRandomNumberGenerator()
        for worker in PlacementPolicy.order(workers, excluding: excluding, using: &generator) {
            if try await registry.reserve(reservation, weight: weight, on: worker.id, reserve: share) == .ok {
                return WorkerPlace(worker: worker.id, host: worker.host, port: worker.port, reservation: reservation)
            }
        }
        throw AdmissionError(.full, "all media workers are full; try again in a few seconds")
    }
}
