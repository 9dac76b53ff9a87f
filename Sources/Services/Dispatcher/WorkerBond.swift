import Logging
import NIOCore
import Placement
import RateLimits
import RelayLink
import Telemetry

/// Whoever has a call and needs a worker for it. Called on the bond's event loop.
protocol WorkerBondOwner: AnyObject {
    var logger: Logger { get }
    /// What a worker is told that is to take the call; nil when it cannot be asked now.
    func attach(_ call: RelayedCall, _ move: RelayMove, _ place: WorkerPlace) -> RelayAttach?
    /// Writes what a worker has to know behind the attach.
    func writeKept(to worker: RelayClient)
    /// The link to a worker has ended although the call has not: `decide(true)` when the worker is gone, `decide(false)` when only the link is.
    func judge(_ worker: String, _ decide: @escaping @Sendable (Bool) -> Void)
    /// The worker has lost the call or gives it away; another one is looked for.
    func unlinked()
    /// A worker has the call.
    func linked(to worker: RelayClient, fence: UInt64)
    /// What the worker that has the call says.
    func received(_ message: MessageToRelay)
    /// The worker has ended the call.
    func ended(_ code: UInt16, _ reason: String)
    /// No worker takes the call.
    func refused(_ error: AdmissionError)
}

/// Ties a call to the worker that has it, and to another one when that is gone. Confined to an event loop, on which the links are opened too.
final class WorkerBond {
    /// A link to a worker, told from earlier ones by its number.
    struct Link {
        let number: Int
        let client: RelayClient
        let place: WorkerPlace
    }

    private enum State {
        case idle
        /// No worker has the call: one is looked for. `pending` has been asked to take it.
        case moving(RelayMove, pending: Link?)
        case linked(Link)
        /// The link has ended, and it is not known yet whether its worker has.
        case doubting(Link)
        case closed
    }

    /// A worker that has the session's log answers within this, in its turn.
    private static let patience = TimeAmount.seconds(4)

    private let service: DispatcherCore
    private let eventLoop: any EventLoop
    /// The owner has the bond.
    private weak var owner: (any WorkerBondOwner)?
    private(set) var call: RelayedCall?
    private var state = State.idle
    private var lastLink = 0
    /// A worker that has given the call away holds it until another one has it.
    private var previous: Link?
    private var observation: WorkerWatch.Observation?
    private var deadline: Scheduled<Void>?

    init(service: DispatcherCore, eventLoop: any EventLoop, owner: any WorkerBondOwner) {
        self.service = service
        self.eventLoop = eventLoop
        self.owner = owner
    }

    private var logger: Logger { owner?.logger ?? service.logger }

    /// Where the caller's messages go now: to a worker that takes over also before it has accepted, behind those that were kept.
    var client: RelayClient? {
        switch state {
        case .linked(let link), .moving(_, pending: let link?): link.client
        case .idle, .moving(_, pending: nil), .doubting, .closed: nil
        }
    }

    /// The worker that has the call.
    var linkedClient: RelayClient? { if case .linked(let link) = state { link.client } else { nil } }

    /// The call was admitted, or its client has come back, or another dispatcher had it. Without a place one is looked for.
    func begin(_ call: RelayedCall, _ reason: RelayMove.Reason, _ place: WorkerPlace?) {
        guard case .idle = state else {
            if let place { giveUp(place) }
            return
        }
        self.call = call
        state = .moving(RelayMove(reason, since: .now()), pending: nil)
        if let place { connect(to: place) } else { search() }
    }

    /// The place of a call that was begun by another dispatcher, kept as that of every call.
    func hold(_ lease: Lease) { call?.lease = lease }

    /// Nothing more is passed on in either direction.
    func close() {
        deadline?.cancel()
        if let observation { service.watch?.cancel(observation) }
        observation = nil
        // Closing a link reports its end at once: by then the state must say that this is wanted.
        let links = [previous?.client, client].compactMap { $0 }
        state = .closed
        previous = nil
        for link in links { link.close() }
    }

    // MARK: Messages

    private func received(_ message: MessageToRelay, from number: Int) {
        switch state {
        case .linked(let link) where link.number == number:
            switch message {
            case .handover: handedOver(link)
            case .end(let code, let reason): owner?.ended(code, reason)
            case .accepted, .refused, .beat, .adopt: break
            case .agent, .control, .clear, .release: owner?.received(message)
            }
        case .moving(let move, pending: let link?) where link.number == number:
            switch message {
            case .accepted(let fence): accepted(link, move, fence: fence)
            case .refused(let code, let reason): refused(link, code, reason)
            case .end(let code, let reason): owner?.ended(code, reason)
            case .agent, .control, .clear, .release, .handover, .beat, .adopt: break
            }
        case .idle, .moving, .linked, .doubting, .closed: break
        }
    }

    // MARK: Reasons to move

    /// The worker has given the session up. Its link stays, so that it does not end before another worker has the session.
    private func handedOver(_ link: Link) {
        logger.notice("worker hands the call over", metadata: ["worker": "\(link.place.worker)"])
        previous = link
        move(.drain, from: link, isGone: true)
    }

    private func linkClosed(_ number: Int, _ error: (any Error)?) {
        switch state {
        case .linked(let link) where link.number == number: lost(link, error.map { "\($0)" } ?? "its link has ended")
        case .moving(_, pending: let link?) where link.number == number: tryAgain(without: link.place.worker)
        case .idle, .moving, .linked, .doubting, .closed: break
        }
    }

    private func workerDied(_ number: Int) {
        guard case .linked(let link) = state, link.number == number else { return }
        lost(link, "it is dead")
    }

    private func lost(_ link: Link, _ reason: String) {
        logger.error("worker lost", metadata: ["worker": "\(link.place.worker)", "reason": "\(reason)"])
        service.metrics.workersLost.increment()
        state = .doubting(link)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let number = link.number
        owner?.judge(link.place.worker) { isGone in bound.value.judged(number, isGone: isGone) }
    }

    private func judged(_ number: Int, isGone: Bool) {
        guard case .doubting(let link) = state, link.number == number else { return }
        move(.takeover, from: link, isGone: isGone)
    }

    private func move(_ reason: RelayMove.Reason, from link: Link, isGone: Bool) {
        if let observation { service.watch?.cancel(observation) }
        observation = nil
        owner?.unlinked()
        var move = RelayMove(reason, since: .now())
        // A worker that lives has only lost the link: nobody can take the session as quickly.
        if isGone { move.excluded.insert(link.place.worker) }
        state = .moving(move, pending: nil)
        if reason != .drain { link.client.close() }
        if isGone { search() } else { connect(to: link.place.again) }
    }

    // MARK: The search

    private func search() {
        guard case .moving(var move, _) = state, let call else { return }
        let delay = move.next()
        state = .moving(move, pending: nil)
        guard NIODeadline.now() + delay < move.deadline else {
            owner?.refused(
                call.wasAccepted
                    ? AdmissionError(.workerLost, "the worker of this call is gone and no other took it")
                    : AdmissionError(.unavailable, move.problem))
            return
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
        case .failure(let error as AdmissionError) where error.code == .sessionOver || error.code == .superseded: owner?.refused(error)
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
    private func giveUp(_ place: WorkerPlace) {
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
        guard let attach = owner?.attach(call, move, place) else { return tryAgain(without: "") }
        link.client.write(.attach(attach))
        owner?.writeKept(to: link.client)
        link.client.flush()
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        deadline?.cancel()
        deadline = eventLoop.assumeIsolated().scheduleTask(in: Self.patience) {
            bound.value.logger.warning("worker does not answer", metadata: ["worker": "\(place.worker)"])
            bound.value.tryAgain(without: place.worker)
        }
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

    private func refused(_ link: Link, _ code: RelayRefusal, _ reason: String) {
        logger.warning("worker refused", metadata: ["worker": "\(link.place.worker)", "code": "\(code)", "reason": "\(reason)"])
        switch code {
        case .over, .superseded: owner?.refused(AdmissionError(code == .over ? .sessionOver : .superseded, reason))
        case .badTicket, .unknownAgent, .badHandshake, .incompatible, .providerUnavailable:
            guard call?.wasAccepted != true else { return tryAgain(without: link.place.worker) }
            owner?.refused(AdmissionError(AdmissionError.Code(code), reason))
        case .claimLost where call?.givesWay == true: owner?.refused(AdmissionError(.superseded, reason))
        case .claimLost, .storeUnavailable: tryAgain(without: "")
        case .full, .draining: tryAgain(without: link.place.worker)
        }
    }

    private func accepted(_ link: Link, _ move: RelayMove, fence: UInt64) {
        deadline?.cancel()
        state = .linked(link)
        call?.fence = fence
        call?.wasAccepted = true
        owner?.linked(to: link.client, fence: fence)
        previous?.client.close()
        previous = nil
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        let number = link.number
        observation = service.watch?.observe(link.place.worker, on: eventLoop) { bound.value.workerDied(number) }
        service.metrics.moved(move)
        log(move, link, fence)
        if let old = call?.oldToken, !old.isEmpty {
            let service = service
            // Nothing waits for it.
            Task { await service.returns?.forget(old) }
            call?.oldToken = ""
        }
    }

    private func log(_ move: RelayMove, _ link: Link, _ fence: UInt64) {
        guard move.reason != .opened else {
            return logger.info("call connected", metadata: ["fence": "\(fence)", "worker": "\(link.place.worker)"])
        }
        let milliseconds = (NIODeadline.now() - move.since).nanoseconds / 1_000_000
        logger.notice(
            "call moved",
            metadata: ["reason": "\(move.reason)", "worker": "\(link.place.worker)", "fence": "\(fence)", "milliseconds": "\(milliseconds)"])
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
