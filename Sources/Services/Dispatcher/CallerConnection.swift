import Logging
import NIOCore
import PipecatBackend
import RelayLink
import Telemetry
import WebSocket

/// One WebSocket caller: admission, then a relay between its socket and the worker that owns the session.
///
/// Confined to the socket's event loop, on which the link to the worker is opened too.
final class CallerConnection: WebSocketHandler {
    enum State {
        case admitting
        case linking(Admission.Admitted)
        case relaying(Admission.Admitted, RelayClient)
        case closed
    }

    private let service: DispatcherCore
    private let request: Admission.Request
    private let eventLoop: any EventLoop
    private let attachment: String
    private var logger: Logger
    private var state = State.admitting
    private var socket: WebSocket?
    private var kept = KeptMessages()
    private var queue = AgentAudioQueue()
    private var isQueueBusy = false
    private var isWritabilityNews = false
    private var deadline: Scheduled<Void>?

    init(service: DispatcherCore, request: Admission.Request, eventLoop: any EventLoop, attachment: String) {
        self.service = service
        self.request = request
        self.eventLoop = eventLoop
        self.attachment = attachment
        self.logger = service.logger
        logger[metadataKey: "attachment"] = "\(attachment)"
    }

    // MARK: The caller's socket

    func opened(_ socket: WebSocket) {
        self.socket = socket
        service.connections.add(self, on: eventLoop)
        service.metrics.callers.increment()
        if service.isDraining { return refuse(AdmissionError(.draining, "this dispatcher is shutting down, connect again")) }
        deadline = eventLoop.assumeIsolated().scheduleTask(in: .seconds(10)) { [weak self] in
            self?.refuse(AdmissionError(.unavailable, "no worker took the call within 10 s"))
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let admission = service.admission
        let request = request
        let eventLoop = eventLoop
        // The socket lives on its event loop; admission waits for Redis and the store, and comes back in one hop.
        Task {
            let result: Result<Admission.Admitted, any Error>
            do { result = .success(try await admission.admit(request)) } catch { result = .failure(error) }
            eventLoop.execute { [result] in bound.value.admitted(result) }
        }
    }

    func received(binary: ByteBuffer, on socket: WebSocket) { receive(binary, text: false) }
    func received(text: ByteBuffer, on socket: WebSocket) { receive(text, text: true) }

    private func receive(_ bytes: ByteBuffer, text: Bool) {
        let now = Int64(NIODeadline.now().uptimeNanoseconds / 1_000)
        let number = kept.append(bytes, text: text, arrivalMicroseconds: now)
        guard case .relaying(_, let link) = state else { return }
        link.send(.caller(number: number, arrivalMicroseconds: now, text: text, bytes: bytes))
    }

    func writabilityChanged(_ socket: WebSocket) {
        isWritabilityNews = true
        if !isQueueBusy { useQueue { _ in } }
    }

    /// The queue sends from inside, and a send may change the socket's writability at once: the queue hears of that afterwards.
    private func useQueue(_ body: (inout AgentAudioQueue) -> Void) {
        isQueueBusy = true
        body(&queue)
        while isWritabilityNews, let socket {
            isWritabilityNews = false
            queue.writability(socket.isWritable) { perform($0) }
        }
        isQueueBusy = false
    }

    func willFail(_ socket: WebSocket, _ closure: WebSocketClosure) {
        let advice = closure.code == .tooBig ? "; send audio in packets of 20 to 100 ms" : ""
        logger.warning("client broke the WebSocket protocol", metadata: ["code": "\(closure.code.rawValue)", "reason": "\(closure.reason)"])
        socket.send(binary: PipecatCodec.fatalError(closure.reason + advice))
    }

    func closed(_ socket: WebSocket, _ closure: WebSocketClosure) {
        service.metrics.callersGone.increment()
        service.connections.remove(self)
        deadline?.cancel()
        let relaying = state
        state = .closed
        self.socket = nil
        if case .relaying(_, let link) = relaying {
            link.send(.detached(reason: closure.reason.isEmpty ? "closed with \(closure.code.rawValue)" : closure.reason))
            link.close()
        }
    }

    // MARK: Admission

    private func admitted(_ result: Result<Admission.Admitted, any Error>) {
        guard case .admitting = state else { return }
        switch result {
        case .success(let admitted): link(to: admitted)
        case .failure(let error as AdmissionError): refuse(error)
        case .failure(let error):
            logger.error("admission failed", metadata: ["error": "\(error)"])
            refuse(.unavailable)
        }
    }

    private func link(to admitted: Admission.Admitted) {
        state = .linking(admitted)
        logger[metadataKey: "session"] = "\(admitted.session)"
        logger[metadataKey: "tenant"] = "\(admitted.tenant)"
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        RelayClient.connect(host: admitted.place.host, port: admitted.place.port, on: eventLoop) { message in
            bound.value.received(message)
        } onClose: { error in
            bound.value.linkClosed(error)
        }.whenComplete { result in
            bound.value.linked(admitted, result)
        }
    }

    private func linked(_ admitted: Admission.Admitted, _ result: Result<NIOLoopBound<RelayClient>, any Error>) {
        guard case .linking = state else {
            if case .success(let link) = result { link.value.close() }
            return
        }
        guard case .success(let bound) = result else {
            logger.error("worker not reachable", metadata: ["worker": "\(admitted.place.worker)", "error": "\(result)"])
            return refuse(AdmissionError(.unavailable, "the worker that was chosen does not answer; try again"))
        }
        let link = bound.value
        queue.raiseFence(admitted.fence)
        link.write(
            .attach(
                RelayAttach(
                    ticket: admitted.ticket, session: admitted.session, tenant: admitted.tenant, attachment: attachment,
                    backend: request.backend, handshake: ByteBuffer(), seenFence: admitted.fence, firstKept: kept.firstKept,
                    reservation: admitted.place.reservation)))
        for message in kept.all {
            link.write(
                .caller(
                    number: message.number, arrivalMicroseconds: message.arrivalMicroseconds, text: message.text,
                    bytes: message.bytes))
        }
        link.flush()
        state = .relaying(admitted, link)
    }

    // MARK: The worker

    private func received(_ message: MessageToRelay) {
        switch message {
        case .accepted(let fence):
            deadline?.cancel()
            queue.raiseFence(fence)
            logger.info("call connected", metadata: ["fence": "\(fence)"])
        case .refused(let code, let reason):
            logger.warning("worker refused", metadata: ["code": "\(code)", "reason": "\(reason)"])
            refuse(AdmissionError(AdmissionError.Code(code), reason))
        case .agent(let fence, let reply, let first, let samples, let bytes):
            useQueue { queue in
                queue.audio(fence: fence, reply: reply, firstSample: first, samples: samples, bytes: bytes) { perform($0) }
            }
        case .control(let fence, let text, let bytes):
            useQueue { queue in queue.control(fence: fence, text: text, bytes: bytes) { perform($0) } }
        case .clear(let fence, let reply): useQueue { queue in queue.clear(fence: fence, reply: reply) { perform($0) } }
        case .release(let number): kept.release(through: number)
        case .handover: logger.notice("worker gives the session up")
        case .end(let code, let reason): end(code, reason)
        }
        if queue.isStuck { refuse(AdmissionError(.badRequest, "the connection takes no data")) }
    }

    private func linkClosed(_ error: (any Error)?) {
        guard case .relaying(let admitted, _) = state else { return }
        logger.error("worker lost", metadata: ["worker": "\(admitted.place.worker)", "error": "\(error.map { "\($0)" } ?? "closed")"])
        service.metrics.workersLost.increment()
        refuse(AdmissionError(.workerLost, "the worker of this call is gone"))
    }

    private func perform(_ action: AgentAudioQueue.Action) {
        switch action {
        case .send(let bytes, let text):
            guard let socket else { return }
            if text { _ = socket.send(text: String(buffer: bytes)) } else { _ = socket.send(binary: bytes) }
        case .throttle(let on):
            guard case .relaying(_, let link) = state else { return }
            link.send(.throttled(on))
            service.metrics.throttles.increment()
        case .revoke(let fence):
            guard case .relaying(_, let link) = state else { return }
            link.send(.revoked(fence: fence))
        }
    }

    // MARK: The end

    /// Tells the caller what is wrong, on the wire and in the log, and closes.
    private func refuse(_ error: AdmissionError) {
        guard let socket else { return }
        logger.warning("caller refused", metadata: ["code": "\(error.code.rawValue)", "reason": "\(error.message)"])
        service.metrics.refused(error.code)
        _ = socket.send(binary: PipecatCodec.fatalError(error.description))
        end(error.closeCode, error.description)
    }

    private func end(_ code: UInt16, _ reason: String) {
        deadline?.cancel()
        // Closing the link calls `linkClosed` at once: by then the state must say that this is wanted.
        let relaying = state
        state = .closed
        if case .relaying(_, let link) = relaying { link.close() }
        // A close reason has at most 123 bytes.
        socket?.close(WebSocketClosure.Code(rawValue: code), reason: String(reason.prefix(120)))
    }

    /// The dispatcher is going away for good.
    func shutDown() { refuse(AdmissionError(.draining, "this dispatcher is shutting down, connect again")) }
}

extension AdmissionError.Code {
    init(_ refusal: RelayRefusal) {
        switch refusal {
        case .badTicket, .claimLost, .storeUnavailable, .incompatible: self = .unavailable
        case .full: self = .full
        case .draining: self = .draining
        case .unknownAgent: self = .unknownAgent
        case .badHandshake: self = .badRequest
        case .providerUnavailable: self = .unavailable
        }
    }
}
