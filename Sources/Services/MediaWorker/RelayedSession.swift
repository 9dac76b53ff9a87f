import Audio
import BackendKit
import Conversation
import Foundation
import Logging
import NIOCore
import RelayLink
import SessionLog
import SwiftProtobuf

/// One relay link in the worker: takes the session that the link brings, then passes the caller's messages to it.
///
/// Unchecked because it is confined to the link's event loop: the channel calls it there, and what was awaited comes back there.
final class RelayedSession: RelayServerHandler, @unchecked Sendable {
    private struct Run {
        let attach: RelayAttach
        let session: VoiceSession
        let media: RelayedPort
        let clockKey: Int
        /// Messages of the caller that an earlier owner has put into the log.
        let covered: UInt64
        let pressed: UInt64
    }

    private enum State {
        case waiting
        /// A control connection: beats go out.
        case watched(RepeatedTask)
        /// Messages that arrive while the session is claimed; at most 15 s of audio, as the relay keeps.
        case claiming(RelayAttach, [MessageToWorker])
        case running(Run)
        /// The session is in a room and lives without this link.
        case roomed(RoomedSession)
        case ended
    }

    /// A caller that sends more than this while its session is claimed is cut off.
    private static let maximumWaiting = 2_048
    private static let beat = TimeAmount.milliseconds(100)

    private let core: WorkerCore
    private let link: RelayServerLink
    private let clock: MediaClock
    private var state = State.waiting

    init(core: WorkerCore, link: RelayServerLink, clock: MediaClock) {
        self.core = core
        self.link = link
        self.clock = clock
    }

    // MARK: The link

    func received(_ message: MessageToWorker) {
        switch (state, message) {
        case (.waiting, .attach(let attach)): take(attach)
        case (.waiting, .watch(let ticket)): watch(ticket)
        case (.claiming(let attach, var waiting), _):
            waiting.append(message)
            // Its room is given back when the claim is answered.
            guard waiting.count <= Self.maximumWaiting else { return refuse(.badHandshake, "too many messages before the session was taken") }
            state = .claiming(attach, waiting)
        case (.running(let run), _): pass(message, to: run)
        case (.waiting, _): refuse(.badHandshake, "the first message of a link must be 'attach' or 'watch'")
        case (.roomed(let room), .revoked): room.eventLoop.execute { room.revoked() }
        case (.roomed(let room), .detached(let reason, isFinal: true)): room.eventLoop.execute { room.callerLeft(reason) }
        case (.ended, _), (.watched, _), (.roomed, _): break
        }
    }

    func closed(_ error: (any Error)?) {
        switch state {
        case .running(let run): run.session.assumeIsolated { $0.detach("relay link closed") }
        case .watched(let task):
            task.cancel()
            state = .ended
        case .roomed(let room):
            room.eventLoop.execute { room.linkClosed() }
            state = .ended
        case .waiting, .claiming, .ended: state = .ended
        }
    }

    private func watch(_ ticket: String) {
        if let problem = core.checkTicket(ticket, RelayTickets.watch, 0) { return refuse(.badTicket, problem) }
        let bound = NIOLoopBound(self, eventLoop: link.eventLoop)
        state = .watched(
            link.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: Self.beat) { _ in
                bound.value.beat()
            })
    }

    private func beat() {
        link.write(.beat(draining: core.isDraining))
        if let offer = core.nextOffer(Int64(NIODeadline.now().uptimeNanoseconds)) { link.write(.adopt(offer)) }
        link.flush()
    }

    private func pass(_ message: MessageToWorker, to run: Run) {
        let session = run.session
        switch message {
        case .caller(let number, _, let text, let bytes):
            run.media.receive(number, text: text, bytes) { handle($0, number, run) }
            if number == run.attach.lastKept { session.assumeIsolated { $0.replayEnded() } }
        case .taken(let samples): run.media.taken(samples)
        case .throttled(let on): session.assumeIsolated { $0.throttled(on) }
        case .detached(let reason, isFinal: true): session.assumeIsolated { $0.clientDisconnected(reason) }
        case .detached(let reason, isFinal: false): session.assumeIsolated { $0.detach(reason) }
        case .revoked(let fence):
            core.logger.notice("session lost to a higher fence", metadata: ["session": "\(session.identity.session)", "fence": "\(fence)"])
            session.assumeIsolated { $0.lost() }
        case .attach, .watch: break
        }
    }

    private func handle(_ incoming: ClientMessage, _ number: UInt64, _ run: Run) {
        let session = run.session
        switch incoming {
        case .audio(let bytes, let rate, let channels):
            // A turn of the log has these words.
            guard number > run.covered else { return }
            let now = Int64(NIODeadline.now().uptimeNanoseconds)
            let isReplay = number <= run.attach.lastKept
            session.assumeIsolated { $0.callerAudio(bytes, sampleRate: rate, channels: channels, arrival: now, isReplay: isReplay) }
        case .input(.ready): session.assumeIsolated { $0.receive(.ready) }
        case .input(let input):
            guard number > run.covered else { return }
            session.assumeIsolated { $0.receive(input, isLogged: number <= run.pressed) }
        case .recordChanged: session.assumeIsolated { $0.clientChanged() }
        case .violation(let reason): session.assumeIsolated { $0.violated(reason) }
        case .answer: break
        }
    }

    // MARK: Taking the session

    private func take(_ attach: RelayAttach) {
        guard attach.version == RelayAttach.currentVersion else {
            return refuse(.incompatible, "this worker speaks version \(RelayAttach.currentVersion) of the relay link")
        }
        if let problem = core.checkTicket(attach.ticket, attach.session, attach.seenFence) { return refuse(.badTicket, problem) }
        if attach.reason == "adopt" { return adopt(attach) }
        if core.isDraining { return refuse(.draining, "this worker takes no new sessions") }
        if core.isSuperseded(attach) { return refuse(.superseded, "the client has connected again since") }
        // Who comes without a valid reservation, or with one that has lapsed meanwhile, may find others in its place.
        guard core.sessionStarted(attach) else { return refuse(.full, "this worker has no room for the session") }
        state = .claiming(attach, [])
        let bound = NIOLoopBound(self, eventLoop: link.eventLoop)
        let eventLoop = link.eventLoop
        core.whenFree(attach) { slot in
            eventLoop.execute { bound.value.claim(attach, slot) }
        }
    }

    /// The session is here, in a room; only a dispatcher was missing.
    private func adopt(_ attach: RelayAttach) {
        guard let room = core.room(of: attach.session) else { return refuse(.claimLost, "this worker does not have the session") }
        state = .roomed(room)
        let link = link
        room.eventLoop.execute { room.adopted(by: link) }
    }

    private func claim(_ attach: RelayAttach, _ slot: TakeoverSlot?) {
        guard case .claiming = state else { return freeUnused(attach, slot) }
        let core = core
        let eventLoop = link.eventLoop
        // The link lives on its event loop; claim and agent come from the store, in one hop back.
        Task { [self] in
            let result = await core.claim(attach)
            eventLoop.execute {
                self.claimed(attach, result)
                core.free(slot)
            }
        }
    }

    private func freeUnused(_ attach: RelayAttach, _ slot: TakeoverSlot?) {
        core.sessionEnded(weight: attach.weight)
        core.free(slot)
    }

    private func claimed(_ attach: RelayAttach, _ result: Result<(ClaimedSession, Agents), any Error>) {
        guard case .claiming(_, let waiting) = state else {
            core.sessionEnded(weight: attach.weight)
            return close(attach, result, .clientDisconnected, "gone before the session began")
        }
        do {
            let (claimed, agents) = try result.get()
            try run(attach, claimed, agents, waiting)
        } catch {
            failed(RelayRefusal(error), "\(error)")
            close(attach, result, .failed, "\(error)")
        }
    }

    private func run(_ attach: RelayAttach, _ claimed: ClaimedSession, _ agents: Agents, _ waiting: [MessageToWorker]) throws {
        let entry = try core.backends.entry(attach.backend)
        if case .room(let media) = entry.media { return try enter(media, entry.settings, attach, claimed, agents) }
        let (session, media) = try makeSession(attach, claimed, agents)
        let bound = NIOLoopBound(session, eventLoop: link.eventLoop)
        let key = clock.add { now in bound.value.assumeIsolated { $0.tick(now) } }
        let leg = agents.state.legs[1]
        let isSame = leg?.latest?.attachment == attach.attachment
        let run = Run(
            attach: attach, session: session, media: media, clockKey: key, covered: isSame ? leg?.covered ?? 0 : 0,
            pressed: isSame ? leg?.pressed ?? 0 : 0)
        state = .running(run)
        core.add(session, attach)
        link.write(.accepted(fence: claimed.fence))
        session.assumeIsolated { $0.start(start(attach)) }
        for message in waiting { pass(message, to: run) }
        link.flush()
    }

    private func enter(
        _ media: any RoomMedia, _ settings: BackendSettings, _ attach: RelayAttach, _ claimed: ClaimedSession, _ agents: Agents
    ) throws {
        let room = RoomedSession(core: core, attach: attach, fence: claimed.fence, clock: clock, link: link)
        try room.begin(media, settings, claimed, agents)
        state = .roomed(room)
        link.send(.accepted(fence: claimed.fence))
    }

    private func start(_ attach: RelayAttach) -> SessionStart {
        SessionStart(
            worker: core.name, reason: attach.reason, attachment: attach.attachment, generation: attach.generation,
            delivered: attach.deliveredReply == 0
                ? nil : .init(reply: attach.deliveredReply, position: SessionTime(samples: attach.deliveredSample)),
            resumeToken: attach.resumeToken, window: core.reconnectWindow, hasReplay: attach.lastKept >= max(1, attach.firstKept))
    }

    private func makeSession(
        _ attach: RelayAttach, _ claimed: ClaimedSession, _ agents: Agents
    ) throws -> (VoiceSession, RelayedPort) {
        let codec = try core.backends.codec(of: attach.backend, handshake: Array(agents.state.legs[1]?.latest?.handshake ?? .init()))
        let media = RelayedPort(link: link, fence: claimed.fence, codec: codec)
        let session = try core.makeSession(attach, claimed, agents, port: media, on: link.eventLoop) { [weak self] in
            self?.lost($0)
        } ended: { [self] reason in
            // Held until then: a session may outlive its link.
            ended(reason)
        }
        return (session, media)
    }

    private func lost(_ reason: String) {
        guard case .running(let run) = state else { return }
        core.logger.notice("session lost", metadata: ["session": "\(run.session.identity.session)", "reason": "\(reason)"])
        run.session.assumeIsolated { $0.lost() }
    }

    // MARK: The end

    /// The session was claimed and cannot begin. A new one ends here; another one is brought again by whoever has its caller, or left to the
    /// reaper.
    private func close(_ attach: RelayAttach, _ result: Result<(ClaimedSession, Agents), any Error>, _ reason: EndReason, _ detail: String) {
        guard attach.reason == "opened", case .success((let claimed, _)) = result else { return }
        let journal = core.store.journal(for: claimed, on: link.eventLoop) { _ in }
        let closed = Event.OneOf_Body.closed(.with {
            $0.reason = reason.rawValue
            $0.detail = detail
            $0.by = "worker"
        })
        _ = journal.append(closed, position: .zero, leg: 1)
        journal.close()
    }

    private func ended(_ reason: EndReason) {
        guard case .running(let run) = state else { return }
        state = .ended
        clock.remove(run.clockKey)
        core.remove(run.session)
        core.sessionEnded(weight: run.attach.weight)
        core.logger.info("session ended", metadata: ["session": "\(run.attach.session)", "reason": "\(reason.rawValue)"])
    }

    private func failed(_ code: RelayRefusal, _ reason: String) {
        if case .claiming(let attach, _) = state { core.sessionEnded(weight: attach.weight) }
        refuse(code, reason)
    }

    private func refuse(_ code: RelayRefusal, _ reason: String) {
        core.logger.warning("link refused", metadata: ["code": "\(code)", "reason": "\(reason)"])
        state = .ended
        link.send(.refused(code: code, reason: reason))
    }
}

extension RelayRefusal {
    init(_ code: SessionLogError.Code) {
        switch code {
        case .claimLost: self = .claimLost
        case .notFound: self = .over
        case .newerEvents: self = .incompatible
        default: self = .storeUnavailable
        }
    }
}
