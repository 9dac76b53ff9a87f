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
    /// A link to a worker, told from earlier ones by its number.
    struct Link {
        let number: Int
        let client: RelayClient
        let place: WorkerPlace
    }

    enum State {
        case admitting
        /// No worker has the call: one is looked for. `pending` has been asked to take it.
        case moving(RelayMove, pending: Link?)
        case relaying(Link)
        case closed
    }

    let service: DispatcherCore
    let backend: any BackendAdmission
    let request: Admission.Request
    let eventLoop: any EventLoop
    let attachment: String
    var logger: Logger
    var state = State.admitting
    var call: RelayedCall?
    var kept = KeptMessages()
    var queue = AgentAudioQueue()
    var lastLink = 0
    /// A worker that has given the call away holds it until another one has it.
    var previous: Link?
    var observation: WorkerWatch.Observation?
    var deadline: Scheduled<Void>?
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
        guard case .admitting = state else {
            // The caller has left meanwhile. Nobody owns the session, and the reaper closes it.
            if case .success((_, let place?)) = result { giveUp(place) }
            return
        }
        switch result {
        case .success(let (call, place)): begin(call, place)
        case .failure(let error as AdmissionError): refuse(error)
        case .failure(let error):
            logger.error("admission failed", metadata: ["error": "\(error)"])
            refuse(.unavailable)
        }
    }

    /// All workers are full, and so many callers are served before this one, itself included.
    private func waits(at position: Int) {
        guard case .admitting = state else { return }
        tell(backend.waiting(position: position))
    }

    func received(binary: ByteBuffer, on socket: WebSocket) { receive(binary, text: false) }
    func received(text: ByteBuffer, on socket: WebSocket) { receive(text, text: true) }

    private func receive(_ bytes: ByteBuffer, text: Bool) {
        if let problem = messages?.receive(now: .now) ?? call.flatMap({ service.admission.limits?.receive(tenant: $0.tenant) }) {
            return refuse(problem)
        }
        let now = Int64(NIODeadline.now().uptimeNanoseconds / 1_000)
        let number = kept.append(bytes, text: text, arrivalMicroseconds: now)
        guard let link = currentLink else { return }
        link.client.send(.caller(number: number, arrivalMicroseconds: now, text: text, bytes: bytes))
    }

    /// Where the caller's messages go now: to a worker that takes over also before it has accepted, behind those that were kept.
    private var currentLink: Link? {
        switch state {
        case .relaying(let link), .moving(_, pending: let link?): link
        case .admitting, .moving(_, pending: nil), .closed: nil
        }
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
        reportTaken()
    }

    private func reportTaken() {
        guard queue.settledSamples >= reportedSamples + Self.reportEvery, case .relaying(let link) = state else { return }
        reportedSamples = queue.settledSamples
        link.client.send(.taken(samples: reportedSamples))
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
        currentLink?.client.send(.detached(reason: reason, isFinal: Self.isHangUp(closure)))
        letGo()
        self.socket = nil
    }

    /// Who says goodbye is gone for good; a connection that just ends may come back.
    private static func isHangUp(_ closure: WebSocketClosure) -> Bool {
        !closure.isLocal && [.normal, .goingAway, .noStatus].contains(closure.code)
            || [.protocolError, .tooBig, .invalidText, .unacceptableData, .policyViolation].contains(closure.code)
    }

    // MARK: The worker

    func received(_ message: MessageToRelay, from number: Int) {
        switch state {
        case .relaying(let link) where link.number == number: relay(message)
        case .moving(let move, pending: let link?) where link.number == number:
            switch message {
            case .accepted(let fence): accepted(link, move, fence: fence)
            case .refused(let code, let reason): refused(link, code, reason)
            case .end(let code, let reason): end(code, reason)
            case .agent, .control, .clear, .release, .handover, .beat: break
            }
        case .admitting, .moving, .relaying, .closed: break
        }
    }

    private func relay(_ message: MessageToRelay) {
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
        case .handover: handedOver()
        case .end(let code, let reason): end(code, reason)
        case .accepted, .refused, .beat: break
        }
        if queue.isStuck { refuse(AdmissionError(.badRequest, "the connection takes no data")) }
    }

    private func perform(_ action: AgentAudioQueue.Action) {
        switch action {
        case .send(let bytes, let text):
            tell(WireMessage(bytes, isText: text))
        case .throttle(let on):
            guard case .relaying(let link) = state else { return }
            link.client.send(.throttled(on))
            service.metrics.throttles.increment()
        case .revoke(let fence):
            guard case .relaying(let link) = state else { return }
            link.client.send(.revoked(fence: fence))
        }
    }

    /// Sends the caller a message; nil where its backend has none for the occasion.
    private func tell(_ message: WireMessage?) {
        guard let socket, let message else { return }
        if message.isText { _ = socket.send(text: String(buffer: message.bytes)) } else { _ = socket.send(binary: message.bytes) }
    }

    // MARK: The end

    /// Tells the caller what is wrong, on the wire and in the log, and closes.
    func refuse(_ error: AdmissionError) {
        guard socket != nil else { return }
        logger.warning("caller refused", metadata: ["code": "\(error.code.rawValue)", "reason": "\(error.message)"])
        service.metrics.refused(error.code)
        tell(backend.fatal(error.description))
        end(error.closeCode, error.description)
    }

    private func end(_ code: UInt16, _ reason: String) {
        letGo()
        // A close reason has at most 123 bytes.
        socket?.close(WebSocketClosure.Code(rawValue: code), reason: String(reason.prefix(120)))
    }

    /// Nothing more is passed on in either direction.
    private func letGo() {
        deadline?.cancel()
        if let observation { service.watch?.cancel(observation) }
        observation = nil
        // Closing a link reports its end at once: by then the state must say that this is wanted.
        let links = [currentLink, previous].compactMap { $0 }
        state = .closed
        previous = nil
        for link in links { link.client.close() }
    }

    /// The dispatcher is going away. `all`: also those who cannot come back to their session over another dispatcher.
    func shutDown(all: Bool) {
        guard all || request.canResume && call?.resumeToken.isEmpty == false else { return }
        refuse(AdmissionError(.draining, "this dispatcher is shutting down, connect again"))
    }
}
