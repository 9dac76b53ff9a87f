package import BackendKit
package import Placement
import ServiceLifecycle

/// What one backend's admission half asks of the dispatcher, and its work in the background.
package struct BackendHost: AdmissionHost, Service {
    private let backend: String
    private let admission: any BackendAdmission
    private let service: DispatcherCore
    private let registry: WorkerRegistry

    package init(_ entry: DispatcherBackends.Entry, service: DispatcherCore, registry: WorkerRegistry) {
        self.backend = entry.backend.name
        self.admission = entry.admission
        self.service = service
        self.registry = registry
    }

    package func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await admission.run(self)
                // A backend without work in the background does not end the dispatcher.
                while !Task.isCancelled { try? await Task.sleep(for: .seconds(3_600)) }
            }
            group.addTask { if (try? await gracefulShutdown()) != nil { await admission.drain() } }
            await group.next()
            group.cancelAll()
        }
    }

    package func start(_ call: RoomCall, ended: @escaping @Sendable (String?) -> Void) async throws -> String {
        do {
            try await admission.authorise(CallerIdentity(tenant: call.tenant, agent: call.agent, parameters: call.parameters), agent: call.agent)
            return try await service.rooms.start(call, backend: backend, by: service, ended: ended)
        } catch { throw BackendRefusal(error) }
    }

    package func end(_ session: String, of tenant: String, reason: String) async { _ = service.rooms.end(session, of: tenant, reason: reason) }

    package func capacity() async -> (free: Double, total: Double) {
        let request = PlacementRequest(region: service.admission.region, labels: [PlacementRequest.label(ofBackend: backend)])
        guard let workers = try? await registry.workers() else { return (0, 0) }
        let peers = PlacementPolicy.peers(workers, for: request).filter { service.watch?.dead.contains($0.id) != true }
        let share = PlacementPolicy.reserve(workers: peers.count)
        return peers.reduce((0, 0)) { sum, worker in
            (sum.0 + max(0, worker.capacity * (1 - share) - worker.used), sum.1 + worker.capacity * (1 - share))
        }
    }

    package var isDraining: Bool { service.isDraining }
}
