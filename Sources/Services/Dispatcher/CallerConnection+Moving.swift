import Logging
import NIOCore
import Placement
import RelayLink
import Telemetry

/// The call gets a worker, and another one when that is gone.
extension CallerConnection {
    /// A worker that has the session's log answers within this, in its turn.
    private static let patience = TimeAmount.seconds(4)
    /// Kept messages longer than a pause: the caller has said something that no turn covers yet.
    private static let urgentMicroseconds: Int64 = 1_500_000

    /// The call was admitted, or its client has come back. Without a place one is looked for.
    func begin(_ call: RelayedCall, _ place: WorkerPlace?) {
        self.call = call
        logger[metadataKey: "session"] = "\(call.session)"
        logger[metadataKey: "tenant"] = "\(call.tenant)"
        let move = RelayMove(call.generation > 1 ? .takeover : .opened, since: .now())
        state = .moving(move, pending: nil)
        if let place { connect(to: place) } else { search() }
    }

    // MARK: Reasons to move

    /// The worker has given the session up. Its link stays, so that it does not end before another worker has the session.
    func handedOver() {
        guard case .relaying(let link) = state else { return }
        logger.notice("worker hands the call over", metadata: ["worker": "\(link.place.worker)"])
        previous = link
        move(.drain, from: link)
    }

    func linkClosed(_ number: Int, _ error: (any Error)?) {
        switch state {
        case .relaying(let link) where link.number == number: workerLost(link, error.map { "\($0)" } ?? "its link has ended")
        case .moving(_, pending: let link?) where link.number == number: tryAgain(without: link.place.worker)
        case .admitting, .moving, .relaying, .closed: break
        }
    }

    private func workerLost(_ link: Link, _ reason: String) {
        logger.error("worker lost", metadata: ["worker": "\(link.place.worker)", "reason": "\(reason)"])
        service.metrics.workersLost.increment()
        move(.takeover, from: link)
    }

    private func move(_ reason: RelayMove.Reason, from link: Link) {
        if let observation { service.watch?.cancel(observation) }
        observation = nil
        queue.workerChanged()
        reportedSamples = 0
        var move = RelayMove(reason, since: .now())
        // A worker that lives has only lost the link: nobody can take the session as quickly.
        let isOnlyCut = reason == .takeover && service.watch?.isAlive(link.place.worker) == true
        if !isOnlyCut { move.excluded.insert(link.place.worker) }
        state = .moving(move, pending: nil)
        if reason != .drain { link.client.close() }
        if isOnlyCut { connect(to: link.place.again) } else { search() }
    }

    // MARK: The search

    private func search() {
        guard case .moving(var move, _) = state, let call else { return }
        let delay = move.next()
        state = .moving(move, pending: nil)
        guard NIODeadline.now() + delay < move.deadline else {
            return refuse(
                call.wasAccepted
                    ? AdmissionError(.workerLost, "the worker of this call is gone and no other took it")
                    : AdmissionError(.unavailable, move.problem))
        }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        deadline?.cancel()
        deadline = eventLoop.assumeIsolated().scheduleTask(in: delay) { bound.value.look(move, call) }
    }

    private func look(_ move: RelayMove, _ call: RelayedCall) {
        guard case .moving = state else { return }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let service = service
        let eventLoop = eventLoop
        // As for admission: one hop back.
        Task {
            let result: Result<(SessionStanding?, WorkerPlace), any Error>
            do { result = .success(try await service.relocate(call, move)) } catch { result = .failure(error) }
            eventLoop.execute { [result] in bound.value.found(result) }
        }
    }

    private func found(_ result: Result<(SessionStanding?, WorkerPlace), any Error>) {
        guard case .moving = state else {
            if case .success((_, let place)) = result { giveUp(place) }
            return
        }
        switch result {
        case .success(let (standing, place)):
            if let standing { call?.fence = standing.fence }
            connect(to: place)
        case .failure(let error as AdmissionError) where error.code == .sessionOver || error.code == .superseded: refuse(error)
        case .failure(let error):
            logger.warning("no worker for the call yet", metadata: ["error": "\(error)"])
            if case .moving(var move, _) = state, let error = error as? AdmissionError {
                move.problem = error.message
                state = .moving(move, pending: nil)
            }
            search()
        }
    }

    /// The caller has left before the place was used.
    func giveUp(_ place: WorkerPlace) {
        let workers = service.admission.workers
        // Nothing waits for it.
        Task { await workers.giveUp(place) }
    }

    // MARK: One worker

    private func connect(to place: WorkerPlace) {
        guard case .moving = state else { return }
        lastLink += 1
        let number = lastLink
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        RelayClient.connect(host: place.host, port: place.port, on: eventLoop, timeout: .milliseconds(500)) { message in
            bound.value.received(message, from: number)
        } onClose: { error in
            bound.value.linkClosed(number, error)
        }.whenComplete { result in
            bound.value.connected(number, place, result)
        }
    }

    private func connected(_ number: Int, _ place: WorkerPlace, _ result: Result<NIOLoopBound<RelayClient>, any Error>) {
        guard case .moving(let move, pending: nil) = state, number == lastLink, let call else {
            if case .success(let client) = result { client.value.close() }
            return
        }
        guard case .success(let client) = result else {
            logger.warning("worker not reachable", metadata: ["worker": "\(place.worker)", "error": "\(result)"])
            return tryAgain(without: place.worker, "the worker that was chosen does not answer; try again")
        }
        let link = Link(number: number, client: client.value, place: place)
        state = .moving(move, pending: link)
        guard let attach = attach(call, move, place) else { return tryAgain(without: "") }
        link.client.write(.attach(attach))
        for message in kept.all {
            link.client.write(
                .caller(number: message.number, arrivalMicroseconds: message.arrivalMicroseconds, text: message.text, bytes: message.bytes))
        }
        link.client.flush()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        deadline?.cancel()
        deadline = eventLoop.assumeIsolated().scheduleTask(in: Self.patience) {
            bound.value.logger.warning("worker does not answer", metadata: ["worker": "\(place.worker)"])
            bound.value.tryAgain(without: place.worker)
        }
    }

    private func attach(_ call: RelayedCall, _ move: RelayMove, _ place: WorkerPlace) -> RelayAttach? {
        guard let ticket = try? service.admission.tickets.ticket(session: call.session, fence: call.fence) else { return nil }
        return RelayAttach(
            ticket: ticket, session: call.session, tenant: call.tenant, attachment: attachment, generation: call.generation,
            resumeToken: call.resumeToken, backend: request.backend, seenFence: call.fence, firstKept: kept.firstKept,
            lastKept: call.wasAccepted ? kept.last : 0, isUrgent: kept.spanMicroseconds > Self.urgentMicroseconds,
            deliveredReply: queue.deliveredReply, deliveredSample: queue.deliveredSample, reservation: place.reservation,
            weight: call.needs.weight,
            reason: move.reason.rawValue)
    }

    /// The pending worker does not take the session.
    private func tryAgain(without worker: String, _ problem: String? = nil) {
        guard case .moving(var move, let pending) = state else { return }
        move.excluded.insert(worker)
        if let problem { move.problem = problem }
        state = .moving(move, pending: nil)
        pending?.client.close()
        search()
    }

    func refused(_ link: Link, _ code: RelayRefusal, _ reason: String) {
        logger.warning("worker refused", metadata: ["worker": "\(link.place.worker)", "code": "\(code)", "reason": "\(reason)"])
        switch code {
        case .over, .superseded: refuse(AdmissionError(code == .over ? .sessionOver : .superseded, reason))
        case .badTicket, .unknownAgent, .badHandshake, .incompatible, .providerUnavailable:
            if call?.wasAccepted == true { tryAgain(without: link.place.worker) } else { refuse(AdmissionError(AdmissionError.Code(code), reason)) }
        case .claimLost, .storeUnavailable: tryAgain(without: "")
        case .full, .draining: tryAgain(without: link.place.worker)
        }
    }

    func accepted(_ link: Link, _ move: RelayMove, fence: UInt64) {
        deadline?.cancel()
        state = .relaying(link)
        queue.raiseFence(fence)
        call?.fence = fence
        call?.wasAccepted = true
        if queue.throttling { link.client.send(.throttled(true)) }
        previous?.client.close()
        previous = nil
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let number = link.number
        observation = service.watch?.observe(link.place.worker, on: eventLoop) { bound.value.workerDied(number) }
        service.metrics.moved(move)
        if move.reason == .opened {
            logger.info("call connected", metadata: ["fence": "\(fence)", "worker": "\(link.place.worker)"])
        } else {
            let milliseconds = (NIODeadline.now() - move.since).nanoseconds / 1_000_000
            logger.notice(
                "call moved",
                metadata: ["reason": "\(move.reason)", "worker": "\(link.place.worker)", "fence": "\(fence)", "milliseconds": "\(milliseconds)"])
        }
        if let old = call?.oldToken, !old.isEmpty {
            let service = service
            // Nothing waits for it.
            Task { await service.returns?.forget(old) }
            call?.oldToken = ""
        }
    }

    private func workerDied(_ number: Int) {
        guard case .relaying(let link) = state, link.number == number else { return }
        workerLost(link, "it is dead")
    }
}

extension WorkerPlace {
    /// The same worker, where nothing has to be reserved.
    fileprivate var again: WorkerPlace { WorkerPlace(worker: worker, host: host, port: port, reservation: "") }
}

extension AdmissionError.Code {
    init(_ refusal: RelayRefusal) {
        switch refusal {
        case .badTicket, .claimLost, .storeUnavailable, .incompatible, .providerUnavailable: self = .unavailable
        case .full: self = .full
        case .draining: self = .draining
        case .unknownAgent: self = .unknownAgent
        case .badHandshake: self = .badRequest
        case .superseded: self = .superseded
        case .over: self = .sessionOver
        }
    }
}
