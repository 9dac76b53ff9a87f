import NIOCore
import Placement
import RelayLink

/// The call gets a worker, and another one when that is gone: `WorkerBond` finds it, this is what it has to know of the caller.
extension CallerConnection: WorkerBondOwner {
    /// Kept messages longer than a pause: the caller has said something that no turn covers yet.
    private static let urgentMicroseconds: Int64 = 1_500_000

    func attach(_ call: RelayedCall, _ move: RelayMove, _ place: WorkerPlace) -> RelayAttach? {
        guard let ticket = try? service.admission.tickets.ticket(session: call.session, fence: call.fence) else { return nil }
        return RelayAttach(
            ticket: ticket, session: call.session, tenant: call.tenant, attachment: attachment, generation: call.generation,
            resumeToken: call.resumeToken, backend: request.backend, seenFence: call.fence, firstKept: kept.firstKept,
            lastKept: call.wasAccepted ? kept.last : 0, isUrgent: kept.spanMicroseconds > Self.urgentMicroseconds,
            deliveredReply: queue.deliveredReply, deliveredSample: queue.deliveredSample, reservation: place.reservation,
            weight: call.needs.weight, labels: call.needs.labels, reason: move.reason.rawValue)
    }

    func writeKept(to worker: RelayClient) {
        for message in kept.all {
            worker.write(
                .caller(number: message.number, arrivalMicroseconds: message.arrivalMicroseconds, text: message.text, bytes: message.bytes))
        }
    }

    /// What is not heard of a worker that beats is only its link.
    func judge(_ worker: String, _ decide: @escaping @Sendable (Bool) -> Void) { decide(service.watch?.isAlive(worker) != true) }

    func unlinked() {
        queue.workerChanged()
        reportedSamples = 0
    }

    func linked(to worker: RelayClient, fence: UInt64) {
        queue.raiseFence(fence)
        if queue.throttling { worker.send(.throttled(true)) }
    }

    func received(_ message: MessageToRelay) {
        switch message {
        case .agent(let fence, let reply, let first, let samples, let text, let bytes):
            useQueue { queue in
                queue.audio(fence: fence, reply: reply, firstSample: first, samples: samples, text: text, bytes: bytes) { perform($0) }
            }
        case .control(let fence, let text, let bytes):
            useQueue { queue in queue.control(fence: fence, text: text, bytes: bytes) { perform($0) } }
        case .clear(let fence, let reply, let sample):
            useQueue { queue in queue.clear(fence: fence, reply: reply, sample: sample) { perform($0) } }
        case .release(let number): kept.release(through: number)
        case .accepted, .refused, .handover, .end, .beat, .adopt: break
        }
        if queue.isStuck { refused(AdmissionError(.badRequest, "the connection takes no data")) }
    }

    func ended(_ code: UInt16, _ reason: String) { end(code, reason) }
    func refused(_ error: AdmissionError) { refuse(error) }
}
