import BackendKit
import Logging
import NIOCore
import RelayLink
import Telemetry
import WebSocket

/// One WebSocket caller: admission, then a relay between its socket and the worker that owns the session, whichever that is at the time.
///
/// Confined to the socket's event loop, on which the links to workers are opened too.
final class CallerConnection: WebSocketHandler {
    let service: DispatcherCore
    let backend: any BackendAdmission
    let request: Admission.Request
    let eventLoop: any EventLoop
    let attachment: String
    var logger: Logger
    private var isAdmitted = false
    private var bond: WorkerBond?
    var kept = KeptMessages()
    var queue = AgentAudioQueue()
    private(set) var socket: WebSocket?
    private var messages: MessageLimiter?
    /// Samples of agent audio that were reported to the worker as taken.
    var reportedSamples: UInt64 = 0
    /// 100 ms.
    private static let reportEvery: UInt64 = 1_600
    private var isQueueBusy = false
    private var isWritabilityNews = false

    init(service: DispatcherCore, backend: any BackendAdmission, request: Admission.Request, eventLoop: any EventLoop, attachment: String) {
        self.service = service
        self.backend = backend
        self.request = request
        self.eventLoop = eventLoop
        self.attachment = attachment
        self.logger = service.logger
        self.messages = service.admission.limits?.messageLimiter(now: .now)
        logger[metadataKey: "attachment"] = "\(attachment)"
    }

    // MARK: The caller's socket

    func opened(_ socket: WebSocket) {
        self.socket = socket
        bond = WorkerBond(service: service, eventLoop: eventLoop, owner: self)
        service.connections.add(self, on: eventLoop)
        service.metrics.callers.increment()
        if service.isDraining { return refuse(AdmissionError(.draining, "this dispatcher is shutting down, connect again")) }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let service = service
        let request = request
        let eventLoop = eventLoop
        // The socket lives on its event loop; admission waits for Redis and the store, and comes back in one hop.
        Task {
            let result: Result<(RelayedCall, WorkerPlace?), any Error>
            do {
                result = .success(
                    try await service.admit(request) { position in
                        eventLoop.execute { bound.value.waits(at: position) }
                    })
            } catch { result = .failure(error) }
            eventLoop.execute { [result] in bound.value.admitted(result) }
        }
    }

    private func admitted(_ result: Result<(RelayedCall, WorkerPlace?), any Error>) {
        guard let bond, socket != nil else {
            // The caller has left meanwhile. Nobody owns the session, and the reaper closes it.
            if case .success((_, let place?)) = result { giveUp(place) }
            return
        }
        isAdmitted = true
        switch result {
        case .success(let (call, place)):
            logger[metadataKey: "session"] = "\(call.session)"
            logger[metadataKey: "tenant"] = "\(call.tenant)"
            bond.begin(call, call.generation > 1 ? .takeover : .opened, place)
        case .failure(let error as AdmissionError): refuse(error)
        case .failure(let error):
            logger.error("admission failed", metadata: ["error": "\(error)"])
            refuse(.unavailable)
        }
    }

    /// All workers are full, and so many callers are served before this one, itself included.
    private func waits(at position: Int) {
        guard !isAdmitted else { return }
        tell(backend.waiting(position: position))
    }

    func received(binary: ByteBuffer, on socket: WebSocket) { receive(binary, text: false) }
    func received(text: ByteBuffer, on socket: WebSocket) { receive(text, text: true) }

    private func receive(_ bytes: ByteBuffer, text: Bool) {
        if let problem = messages?.receive(now: .now) ?? bond?.call.flatMap({ service.admission.limits?.receive(tenant: $0.tenant) }) {
            return refuse(problem)
        }
        let now = Int64(NIODeadline.now().uptimeNanoseconds / 1_000)
        let number = kept.append(bytes, text: text, arrivalMicroseconds: now)
        bond?.client?.send(.caller(number: number, arrivalMicroseconds: now, text: text, bytes: bytes))
    }

    func writabilityChanged(_ socket: WebSocket) {
        isWritabilityNews = true
        if !isQueueBusy { useQueue { _ in } }
    }

    /// The queue sends from inside, and a send may change the socket's writability at once: the queue hears of that afterwards.
    func useQueue(_ body: (inout AgentAudioQueue) -> Void) {
        isQueueBusy = true
        body(&queue)
        while isWritabilityNews, let socket {
            isWritabilityNews = false
            queue.writability(socket.isWritable) { perform($0) }
        }
        isQueueBusy = false
        reportTaken()
    }

    private func reportTaken() {
        guard queue.settledSamples >= reportedSamples + Self.reportEvery, let worker = bond?.linkedClient else { return }
        reportedSamples = queue.settledSamples
        worker.send(.taken(samples: reportedSamples))
    }

    func willFail(_ socket: WebSocket, _ closure: WebSocketClosure) {
        let advice = closure.code == .tooBig ? "; send audio in packets of 20 to 100 ms" : ""
        logger.warning("client broke the WebSocket protocol", metadata: ["code": "\(closure.code.rawValue)", "reason": "\(closure.reason)"])
        tell(backend.fatal(closure.reason + advice))
    }

    func closed(_ socket: WebSocket, _ closure: WebSocketClosure) {
        service.metrics.callersGone.increment()
        service.connections.remove(self)
        let reason = closure.reason.isEmpty ? "closed with \(closure.code.rawValue)" : closure.reason
        bond?.client?.send(.detached(reason: reason, isFinal: Self.isHangUp(closure)))
        bond?.close()
        self.socket = nil
    }

    /// Who says goodbye is gone for good; a connection that just ends may come back.
    private static func isHangUp(_ closure: WebSocketClosure) -> Bool {
        !closure.isLocal && [.normal, .goingAway, .noStatus].contains(closure.code)
            || [.protocolError, .tooBig, .invalidText, .unacceptableData, .policyViolation].contains(closure.code)
    }

    // MARK: The worker

    func perform(_ action: AgentAudioQueue.Action) {
        switch action {
        case .send(let bytes, let text):
            tell(WireMessage(bytes, isText: text))
        case .throttle(let on):
            guard let worker = bond?.linkedClient else { return }
            worker.send(.throttled(on))
            service.metrics.throttles.increment()
        case .revoke(let fence): bond?.linkedClient?.send(.revoked(fence: fence))
        }
    }

    /// Sends the caller a message; nil where its backend has none for the occasion.
    private func tell(_ message: WireMessage?) {
        guard let socket, let message else { return }
        if message.isText { _ = socket.send(text: String(buffer: message.bytes)) } else { _ = socket.send(binary: message.bytes) }
    }

    // MARK: The end

    /// The caller has left before the place was used.
    private func giveUp(_ place: WorkerPlace) {
        let workers = service.admission.workers
        // Nothing waits for it.
        Task { await workers.giveUp(place) }
    }

    /// Tells the caller what is wrong, on the wire and in the log, and closes.
    func refuse(_ error: AdmissionError) {
        guard socket != nil else { return }
        logger.warning("caller refused", metadata: ["code": "\(error.code.rawValue)", "reason": "\(error.message)"])
        service.metrics.refused(error.code)
        tell(backend.fatal(error.description))
        end(error.closeCode, error.description)
    }

    func end(_ code: UInt16, _ reason: String) {
        bond?.close()
        // A close reason has at most 123 bytes.
        socket?.close(WebSocketClosure.Code(rawValue: code), reason: String(reason.prefix(120)))
    }

    /// The dispatcher is going away. `all`: also those who cannot come back to their session over another dispatcher.
    func shutDown(all: Bool) {
        guard all || request.canResume && bond?.call?.resumeToken.isEmpty == false else { return }
        refuse(AdmissionError(.draining, "this dispatcher is shutting down, connect again"))
    }
}
