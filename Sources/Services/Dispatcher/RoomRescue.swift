import Logging
import Placement
package import Resilience
import ServiceLifecycle
package import SessionLog
import Synchronization

/// The backstop for sessions in rooms: those whose lease has run out because worker and dispatcher died together get another worker.
///
/// Any number of dispatchers look; of two that find the same session one claims it, and the other lets it be.
package struct RoomRescue: Service {
    private static let limit = 200
    /// How long a lease has been over: whoever saw the worker die is faster.
    private static let minimumAge = Duration.milliseconds(1_500)
    private static let interval = Duration.seconds(1)

    private let service: DispatcherCore
    private let store: StoreClient
    private let clock: any MonotonicClock

    package init(service: DispatcherCore, store: StoreClient, clock: any MonotonicClock = ContinuousClock()) {
        self.service = service
        self.store = store
        self.clock = clock
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                try? await clock.sleep(for: Self.interval * Double.random(in: 0.75...1.25))
                if !Task.isCancelled { await round() }
            }
        }
    }

    private func round() async {
        guard service.backends.haveRooms, let found = try? await store.orphans(limit: Self.limit, minimumAge: Self.minimumAge), found.settled
        else { return }
        for orphan in found.sessions where service.backends.isRoom(orphan.backend) && !orphan.owner.isEmpty && !service.rooms.has(orphan.session) {
            guard orphan.maxEventVersion <= Event.currentVersion, let needs = try? await needs(of: orphan) else { continue }
            service.rooms.rescue(orphan, needs: needs, by: service)
        }
    }

    /// As far as the agent that it was opened with says.
    private func needs(of orphan: StoreHeader) async throws -> PlacementRequest {
        let text = String(decoding: try await store.getAgent(tenant: orphan.tenant, hash: orphan.agentHash), as: UTF8.self)
        return service.admission.needs(of: AgentVersion(name: orphan.agentHash, hash: orphan.agentHash, definition: text), backend: orphan.backend)
    }
}
