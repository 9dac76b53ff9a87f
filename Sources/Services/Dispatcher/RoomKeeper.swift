import Cryptography
import Logging
import NIOCore
import Placement
import RateLimits
import RelayLink

/// Takes care of one session in a room: has a worker join it, and another one when that is gone. No audio passes here, and when this dispatcher
/// ends the conversation goes on; another dispatcher adopts it.
///
/// Confined to an event loop.
final class RoomKeeper: WorkerBondOwner {
    let service: DispatcherCore
    let backend: String
    let session: String
    let eventLoop: any EventLoop
    let logger: Logger
    private let attachment: String
    private let isBeating: @Sendable (_ worker: String) async throws -> Bool
    private var bond: WorkerBond?
    private var started: EventLoopPromise<Void>?
    private var isAbandoned = false
    private let onEnd: @Sendable (_ problem: String?) -> Void

    /// `started` is completed when a worker has the session or none takes it; after it has succeeded, `onEnd` is called once, when the session is over
    /// or lost to others.
    init(
        service: DispatcherCore, backend: String, session: String, tenant: String, attachment: String, on eventLoop: any EventLoop,
        isBeating: @escaping @Sendable (String) async throws -> Bool, started: EventLoopPromise<Void>? = nil,
        onEnd: @escaping @Sendable (String?) -> Void
    ) {
        self.service = service
        self.backend = backend
        self.session = session
        self.attachment = attachment
        self.eventLoop = eventLoop
        self.isBeating = isBeating
        self.started = started
        self.onEnd = onEnd
        var logger = service.logger
        logger[metadataKey: "session"] = "\(session)"
        logger[metadataKey: "tenant"] = "\(tenant)"
        self.logger = logger
    }

    func begin(_ call: RelayedCall, _ reason: RelayMove.Reason, _ place: WorkerPlace?) {
        let bond = WorkerBond(service: service, eventLoop: eventLoop, owner: self)
        self.bond = bond
        bond.begin(call, reason, place)
    }

    /// Has a place among the tenant's sessions as long as it takes care of this one.
    func hold(_ lease: Lease) { bond?.hold(lease) }

    /// The session goes on without this dispatcher. One that is being started is started first, since nobody else would.
    func letGo() {
        guard started == nil, !isAbandoned, bond != nil else { return }
        bond?.close()
        bond = nil
        service.rooms.remove(session)
    }

    /// Whoever wanted the session waits for its start no longer: it ends as soon as a worker has it.
    func abandon() {
        guard let started else { return }
        self.started = nil
        isAbandoned = true
        started.fail(CancellationError())
    }

    /// Ends the session itself.
    func endSession(_ reason: String) { bond?.linkedClient?.send(.detached(reason: reason, isFinal: true)) }

    // MARK: The worker

    func attach(_ call: RelayedCall, _ move: RelayMove, _ place: WorkerPlace) -> RelayAttach? {
        guard let ticket = try? service.admission.tickets.ticket(session: call.session, fence: call.fence) else { return nil }
        return RelayAttach(
            ticket: ticket, session: call.session, tenant: call.tenant, attachment: attachment, generation: call.generation, backend: backend,
            seenFence: call.fence, isUrgent: move.reason == .takeover, reservation: place.reservation, weight: call.needs.weight,
            labels: call.needs.labels, reason: move.reason.rawValue)
    }

    func writeKept(to worker: RelayClient) {}
    func unlinked() {}

    /// Two signs are needed: its connections here have ended, and the store hears nothing of it. The room itself would tell only after 20 s.
    func judge(_ worker: String, _ decide: @escaping @Sendable (Bool) -> Void) {
        let signs = WorkerSigns(watch: service.watch, isBeating: isBeating)
        let eventLoop = eventLoop
        // Waits for the store and for time to pass; comes back in one hop.
        Task {
            let isGone = await signs.areGone(of: worker)
            eventLoop.execute { decide(isGone) }
        }
    }

    func linked(to worker: RelayClient, fence: UInt64) {
        if isAbandoned { return endSession("nobody waits for it any more") }
        started?.succeed()
        started = nil
        guard service.isDraining else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        // The bond has not finished with its link yet.
        eventLoop.execute { bound.value.letGo() }
    }

    func received(_ message: MessageToRelay) {}

    func ended(_ code: UInt16, _ reason: String) {
        bond?.close()
        end(code == 1000 ? nil : reason)
    }

    func refused(_ error: AdmissionError) {
        logger.warning("session in a room is not taken care of any more", metadata: ["code": "\(error.code.rawValue)", "reason": "\(error.message)"])
        service.metrics.refused(error.code)
        bond?.close()
        end(error.message, error)
    }

    private func end(_ problem: String?, _ error: AdmissionError? = nil) {
        guard bond != nil else { return }
        bond = nil
        service.rooms.remove(session)
        if let started {
            self.started = nil
            started.fail(error ?? AdmissionError(.workerLost, "the session has ended before it began: \(problem ?? "its worker has ended it")"))
        } else if !isAbandoned {
            onEnd(problem)
        }
    }
}

/// Whether a worker lives, by what its control connection and its heartbeat in the store say.
private struct WorkerSigns: Sendable {
    /// Silence here that is believed although the heartbeat says otherwise.
    private static let longestDoubt = Duration.seconds(6)
    /// A worker that lives so long after its link has ended has only lost the link.
    private static let shortestDoubt = Duration.milliseconds(300)

    let watch: WorkerWatch?
    let isBeating: @Sendable (_ worker: String) async throws -> Bool

    func areGone(of worker: String) async -> Bool {
        let began = ContinuousClock.now
        while true {
            let waited = ContinuousClock.now - began
            if watch?.isAlive(worker) == true {
                if waited > Self.shortestDoubt { return false }
            } else if (try? await isBeating(worker)) == false || waited > Self.longestDoubt {
                return true
            }
            try? await Task.sleep(for: .milliseconds(25))
        }
    }
}
