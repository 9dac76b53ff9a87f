import Audio
import Conversation
import Logging
import NIOCore
import PipecatBackend
import RelayLink
import SessionLog
import SwiftProtobuf

/// One relay link in the worker: takes the session that the link brings, then passes the caller's messages to it.
///
/// Unchecked because it is confined to the link's event loop: the channel calls it there, and what was awaited comes back there.
final class RelayedSession: RelayServerHandler, @unchecked Sendable {
    private enum State {
        case waiting
        /// Messages that arrive while the session is claimed; at most 15 s of audio, as the relay keeps.
        case claiming(RelayAttach, [MessageToWorker])
        case running(RelayAttach, VoiceSession, RelayedMedia, clockKey: Int)
        case ended
    }

    /// A caller that sends more than this while its session is claimed is cut off.
    private static let maximumWaiting = 2_048

    private let core: WorkerCore
    private let link: RelayServerLink
    private let clock: MediaClock
    private var state = State.waiting
    private let weight = 1.0

    init(core: WorkerCore, link: RelayServerLink, clock: MediaClock) {
        self.core = core
        self.link = link
        self.clock = clock
    }

    // MARK: The link

    func received(_ message: MessageToWorker) {
        switch (state, message) {
        case (.waiting, .attach(let attach)): claim(attach)
        case (.claiming(let attach, var waiting), _):
            waiting.append(message)
            guard waiting.count <= Self.maximumWaiting else { return refuse(.badHandshake, "too many messages before the session was taken") }
            state = .claiming(attach, waiting)
        case (.running(_, let session, let media, _), _): pass(message, to: session, media)
        case (.waiting, _): refuse(.badHandshake, "the first message of a link must be 'attach'")
        case (.ended, _): break
        }
    }

    func closed(_ error: (any Error)?) {
        switch state {
        case .running(_, let session, _, _): session.assumeIsolated { $0.clientDisconnected("relay link closed") }
        case .waiting, .claiming, .ended: state = .ended
        }
    }

    private func pass(_ message: MessageToWorker, to session: VoiceSession, _ media: RelayedMedia) {
        switch message {
        case .caller(let number, _, let text, let bytes): caller(media.receive(number, text: text, bytes), session)
        case .throttled(let on): session.assumeIsolated { $0.throttled(on) }
        case .detached(let reason): session.assumeIsolated { $0.clientDisconnected(reason) }
        case .revoked(let fence):
            core.logger.notice("session lost to a higher fence", metadata: ["session": "\(session.identity.session)", "fence": "\(fence)"])
            session.assumeIsolated { $0.lost() }
        case .delivered, .attach: break
        }
    }

    private func caller(_ incoming: PipecatCodec.Incoming?, _ session: VoiceSession) {
        switch incoming {
        case .audio(let bytes, let rate, let channels):
            let now = Int64(NIODeadline.now().uptimeNanoseconds)
            session.assumeIsolated { $0.callerAudio(bytes, sampleRate: rate, channels: channels, arrival: now) }
        case .input(let input): session.assumeIsolated { $0.receive(input) }
        case .violation(let reason): session.assumeIsolated { $0.violated(reason) }
        case .answer, nil: break
        }
    }

    // MARK: Taking the session

    private func claim(_ attach: RelayAttach) {
        guard attach.version == RelayAttach.currentVersion else {
            return refuse(.incompatible, "this worker speaks version \(RelayAttach.currentVersion) of the relay link")
        }
        if let problem = core.checkTicket(attach.ticket, attach.session, attach.seenFence) { return refuse(.badTicket, problem) }
        if core.isDraining { return refuse(.draining, "this worker takes no new sessions") }
        state = .claiming(attach, [])
        core.sessionStarted(weight: weight, reservation: attach.reservation)
        let core = core
        let eventLoop = link.eventLoop
        // The link lives on its event loop; claim and agent come from the store, in one hop back.
        Task { [self] in
            let result: Result<(ClaimedSession, Agents), any Error>
            do {
                let claimed = try await core.store.claim(
                    session: attach.session, tenant: attach.tenant, seenFence: attach.seenFence, reason: attach.reason)
                result = .success((claimed, try await Agents.load(for: claimed, tenant: attach.tenant, core: core)))
            } catch {
                result = .failure(error)
            }
            eventLoop.execute { self.claimed(result) }
        }
    }

    private func claimed(_ result: Result<(ClaimedSession, Agents), any Error>) {
        guard case .claiming(let attach, let waiting) = state else { return abandoned(result) }
        do {
            let (claimed, agents) = try result.get()
            let (session, media) = try makeSession(attach, claimed, agents)
            let bound = NIOLoopBound(session, eventLoop: link.eventLoop)
            let key = clock.add { now in bound.value.assumeIsolated { $0.tick(now) } }
            state = .running(attach, session, media, clockKey: key)
            link.write(.accepted(fence: claimed.fence))
            let worker = core.name
            session.assumeIsolated {
                $0.start(
                    worker: worker, reason: attach.reason, attachment: attach.attachment, protocolName: media.protocolName)
            }
            for message in waiting { pass(message, to: session, media) }
            link.flush()
        } catch let error as ConfigurationFileError {
            failed(.unknownAgent, error.description)
        } catch let error as ProviderError {
            failed(.providerUnavailable, error.description)
        } catch {
            failed(.claimLost, "\(error)")
        }
    }

    private func makeSession(
        _ attach: RelayAttach, _ claimed: ClaimedSession, _ agents: Agents
    ) throws -> (VoiceSession, RelayedMedia) {
        var codec = PipecatCodec()
        codec.restore(attach.handshake)
        let media = RelayedMedia(link: link, fence: claimed.fence, codec: codec)
        let providers = try core.environment.providers(for: agents.current)
        var logger = core.logger
        logger[metadataKey: "session"] = "\(attach.session)"
        logger[metadataKey: "tenant"] = "\(attach.tenant)"
        let loop = link.eventLoop
        let journal = core.store.journal(for: claimed, on: loop) { [weak self] reason in self?.lost(reason) }
        let session = VoiceSession(
            identity: .init(session: attach.session, tenant: attach.tenant), agent: agents.current, environment: core.environment,
            providers: providers, handOffs: agents.targets(core: core, logger: logger), state: agents.state, journal: journal,
            port: media, eventLoop: loop, logger: logger
        ) { [weak self] reason in
            self?.ended(reason)
        }
        return (session, media)
    }

    private func lost(_ reason: String) {
        guard case .running(_, let session, _, _) = state else { return }
        core.logger.notice("session lost", metadata: ["session": "\(session.identity.session)", "reason": "\(reason)"])
        session.assumeIsolated { $0.lost() }
    }

    // MARK: The end

    /// The caller was gone before the session was claimed: its log says so, and its room on this worker is free again.
    private func abandoned(_ result: Result<(ClaimedSession, Agents), any Error>) {
        core.sessionEnded(weight: weight)
        guard case .success((let claimed, _)) = result else { return }
        let journal = core.store.journal(for: claimed, on: link.eventLoop) { _ in }
        let closed = Event.OneOf_Body.closed(.with {
            $0.reason = EndReason.clientDisconnected.rawValue
            $0.detail = "gone before the session began"
            $0.by = "worker"
        })
        _ = journal.append(closed, position: .zero, leg: 1)
        journal.close()
    }

    private func ended(_ reason: EndReason) {
        guard case .running(let attach, _, _, let key) = state else { return }
        state = .ended
        clock.remove(key)
        core.sessionEnded(weight: weight)
        core.logger.info("session ended", metadata: ["session": "\(attach.session)", "reason": "\(reason.rawValue)"])
    }

    private func failed(_ code: RelayRefusal, _ reason: String) {
        core.sessionEnded(weight: weight)
        refuse(code, reason)
    }

    private func refuse(_ code: RelayRefusal, _ reason: String) {
        core.logger.warning("link refused", metadata: ["code": "\(code)", "reason": "\(reason)"])
        state = .ended
        link.send(.refused(code: code, reason: reason))
    }
}
