import BackendKit
import Cryptography
package import NIOCore
import Placement
package import RelayLink
import SessionLog
import Synchronization

/// The sessions in rooms that this dispatcher takes care of.
package final class RoomKeepers: Sendable {
    private struct Entry: Sendable {
        let keeper: NIOLoopBound<RoomKeeper>
        let tenant: String
        let eventLoop: any EventLoop
    }

    private let group: (any EventLoopGroup)?
    private let isBeating: @Sendable (_ worker: String) async throws -> Bool
    private let entries = Mutex<[String: Entry]>([:])

    /// - Parameters:
    ///   - group: what sessions are spread over; nil: there are no rooms
    ///   - isBeating: whether the store hears of a worker
    package init(group: (any EventLoopGroup)? = nil, isBeating: @escaping @Sendable (String) async throws -> Bool = { _ in true }) {
        self.group = group
        self.isBeating = isBeating
    }

    package var count: Int { entries.withLock { $0.count } }
    func has(_ session: String) -> Bool { entries.withLock { $0[session] != nil } }
    func remove(_ session: String) { entries.withLock { $0[session] = nil } }

    /// Starts a session; returns when a worker has it. When it throws, also because it was cancelled, there is none, or it is ended.
    func start(_ call: RoomCall, backend: String, by service: DispatcherCore, ended: @escaping @Sendable (String?) -> Void) async throws -> String {
        guard let group else { throw AdmissionError(.unavailable, "this dispatcher takes care of no rooms") }
        let grant = ConnectGrant(tenant: call.tenant, agent: call.agent, parameters: call.parameters)
        let admitted = try await service.admission.open(grant, backend: backend, room: call.grant.handshake)
        var relayed = RelayedCall(
            session: admitted.session, tenant: admitted.tenant, generation: 1, needs: admitted.needs, lease: admitted.lease, fence: admitted.fence)
        relayed.givesWay = true
        let eventLoop = group.next()
        let started = eventLoop.makePromise(of: Void.self)
        keep(
            relayed, .opened, admitted.place, backend: backend, attachment: try RandomBytes.token(bytes: 12), on: eventLoop, service,
            started: started, ended: ended)
        try await withTaskCancellationHandler {
            try await started.futureResult.get()
        } onCancel: {
            eventLoop.execute { self.entries.withLock { $0[admitted.session] }?.keeper.value.abandon() }
        }
        return admitted.session
    }

    /// A session that a worker has and that no dispatcher knows of.
    package func adopt(_ adoption: RelayAdoption, from worker: WorkerWatch.Address, by service: DispatcherCore) {
        guard let group, !service.isDraining, !has(adoption.session) else { return }
        var call = RelayedCall(
            session: adoption.session, tenant: adoption.tenant, generation: adoption.generation,
            needs: PlacementRequest(weight: adoption.weight, region: service.admission.region, labels: adoption.labels), fence: adoption.fence)
        call.givesWay = true
        call.wasAccepted = true
        let place = WorkerPlace(worker: worker.id, host: worker.host, port: worker.port, reservation: "")
        keep(call, .adopt, place, backend: adoption.backend, attachment: adoption.attachment, on: group.next(), service)
    }

    /// A session that nobody owns: its worker is gone, and so is the dispatcher that took care of it.
    func rescue(_ header: StoreHeader, needs: PlacementRequest, by service: DispatcherCore) {
        guard let group, !service.isDraining, !has(header.session), let attachment = try? RandomBytes.token(bytes: 12) else { return }
        var call = RelayedCall(session: header.session, tenant: header.tenant, generation: 1, needs: needs, fence: header.fence)
        call.givesWay = true
        call.wasAccepted = true
        keep(call, .takeover, nil, backend: header.backend, attachment: attachment, on: group.next(), service)
    }

    private func keep(
        _ call: RelayedCall, _ reason: RelayMove.Reason, _ place: WorkerPlace?, backend: String, attachment: String,
        on eventLoop: any EventLoop, _ service: DispatcherCore, started: EventLoopPromise<Void>? = nil,
        ended: @escaping @Sendable (String?) -> Void = { _ in }
    ) {
        let isBeating = isBeating
        eventLoop.execute {
            let keeper = RoomKeeper(
                service: service, backend: backend, session: call.session, tenant: call.tenant, attachment: attachment, on: eventLoop,
                isBeating: isBeating, started: started, onEnd: ended)
            let entry = Entry(keeper: NIOLoopBound(keeper, eventLoop: eventLoop), tenant: call.tenant, eventLoop: eventLoop)
            self.entries.withLock { $0[call.session] = entry }
            keeper.begin(call, reason, place)
            if call.lease == nil { self.takePlace(of: call, in: service.admission.limits) }
        }
    }

    /// A session that another dispatcher took care of counts among its tenant's sessions, as before, and is none for the reaper.
    private func takePlace(of call: RelayedCall, in limits: CallerLimits?) {
        guard let limits else { return }
        // The session does not wait for it.
        Task {
            let lease = try? await limits.place(session: call.session, tenant: call.tenant, key: nil)
            guard let lease, let entry = entries.withLock({ $0[call.session] }) else { return }
            entry.eventLoop.execute { entry.keeper.value.hold(lease) }
        }
    }

    /// Ends a session with a reason for its log; false: this dispatcher does not take care of it.
    func end(_ session: String, of tenant: String, reason: String) -> Bool {
        guard let entry = entries.withLock({ $0[session] }), entry.tenant == tenant else { return false }
        entry.eventLoop.execute { entry.keeper.value.endSession(reason) }
        return true
    }

    /// This dispatcher ends; the sessions do not.
    func letGo() {
        for entry in entries.withLock({ Array($0.values) }) { entry.eventLoop.execute { entry.keeper.value.letGo() } }
    }
}
