package import Placement

/// `WorkerPlacing` by reservations in Redis.
package struct RegistryPlacing: WorkerPlacing {
    private let placer: WorkerPlacer

    package init(_ registry: WorkerRegistry) { placer = WorkerPlacer(registry) }

    package func place(_ request: PlacementRequest) async throws -> WorkerPlace {
        switch try await placer.place(request) {
        case .placed(let worker, let reservation):
            return WorkerPlace(
                worker: worker.id, host: worker.host, port: worker.port, reservation: reservation,
                weight: request.weight)
        case .full: throw AdmissionError(.full, "all media workers are full; try again in a few seconds")
        case .nobody:
            let needs = request.labels.sorted().map { $0.replacing("backend:", with: "the backend ") }.joined(separator: ", ")
            throw AdmissionError(.unavailable, "no media worker with what the call needs is running: \(needs)")
        }
    }

    package func giveUp(_ place: WorkerPlace) async { try? await placer.cancel(place.reservation, on: place.worker) }
}
