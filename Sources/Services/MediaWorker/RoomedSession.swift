import Audio
import BackendKit
import Conversation
import Foundation
import Logging
import NIOCore
import RelayLink
import SessionLog

/// A session in a room that the worker joins itself. It needs no dispatcher while it goes on: when the link to the one that started it is gone,
/// another one is asked to adopt it, so that somebody moves it when this worker dies or ends.
///
/// Unchecked because it is confined to its event loop: room, session and link are there too.
final class RoomedSession: RoomSession, @unchecked Sendable {
    /// A successor is in the room within this, or there is none.
    private static let patience = TimeAmount.seconds(20)

    private let core: WorkerCore
    private let attach: RelayAttach
    private let clock: MediaClock
    private let fence: UInt64
    private var link: RelayServerLink?
    private var session: VoiceSession?
    private var clockKey: Int?
    private var window: Scheduled<Void>?
    /// The session was given away while nobody had a link to this worker.
    private var isHandedOver = false
    private var isOver = false
    let eventLoop: any EventLoop

    init(core: WorkerCore, attach: RelayAttach, fence: UInt64, clock: MediaClock, link: RelayServerLink) {
        self.core = core
        self.attach = attach
        self.fence = fence
        self.clock = clock
        self.link = link
        self.eventLoop = link.eventLoop
    }

    /// Joins the room and lets the conversation begin or go on.
    func begin(_ media: any RoomMedia, _ settings: BackendSettings, _ claimed: ClaimedSession, _ agents: Agents) throws {
        let known = agents.state.legs[1]?.latest?.handshake ?? .init()
        let options = agents.current.backendOptions(of: attach.backend)
        let entry = try core.backends.entry(attach.backend)
        let request = RoomRequest(
            session: attach.session, tenant: attach.tenant, agent: agents.current.name,
            handshake: Array(known.isEmpty ? agents.state.opened?.room ?? .init() : known),
            settings: try settings.with(options: options, of: entry.backend), isTakeover: attach.reason != "opened",
            logger: core.logger(for: attach))
        // What is missing is said before anybody sees the agent in the room.
        _ = try core.environment.providers(for: agents.current)
        let port = media.join(request, on: eventLoop, session: self)
        do {
            let session = try core.makeSession(attach, claimed, agents, port: port, on: eventLoop) { [weak self] in
                self?.lost($0)
            } ended: { [self] in
                // Held until then: a session outlives its link.
                ended($0)
            }
            self.session = session
            let bound = NIOLoopBound(session, eventLoop: eventLoop)
            clockKey = clock.add { now in bound.value.assumeIsolated { $0.tick(now) } }
            core.add(session, attach)
            core.remember(self)
            session.assumeIsolated { $0.start(start) }
        } catch {
            port.end(.failed)
            throw error
        }
    }

    private var start: SessionStart {
        SessionStart(
            worker: core.name, reason: attach.reason, attachment: attach.attachment, generation: attach.generation,
            window: core.reconnectWindow, isRelayed: false)
    }

    // MARK: The dispatcher

    var name: String { attach.session }

    /// What a dispatcher needs to adopt the session; from any thread.
    var adoption: RelayAdoption {
        RelayAdoption(
            session: attach.session, tenant: attach.tenant, backend: attach.backend, fence: fence, attachment: attach.attachment,
            generation: attach.generation, weight: attach.weight, labels: attach.labels)
    }

    /// Whoever was told that the session is handed over takes care of the rest.
    func linkClosed() {
        link = nil
        if !isOver, !isHandedOver { core.offer(self) }
    }

    /// A dispatcher takes care of the session from now on.
    func adopted(by link: RelayServerLink) {
        guard !isOver else { return Self.send(.refused(code: .over, reason: "the session has ended"), to: link) }
        core.withdraw(self)
        self.link = link
        tell(.accepted(fence: fence))
        if isHandedOver { tell(.handover(fence: fence)) }
    }

    private func tell(_ message: MessageToRelay) { if let link { Self.send(message, to: link) } }

    /// A link that adopts a session may live on another event loop than the room.
    private static func send(_ message: MessageToRelay, to link: RelayServerLink) { link.eventLoop.execute { link.send(message) } }

    func revoked() { session?.assumeIsolated { $0.lost() } }

    // MARK: The room

    func callerAudio(_ bytes: ByteBuffer, sampleRate: Int, channels: Int, arrival nanoseconds: Int64) {
        session?.assumeIsolated { $0.callerAudio(bytes, sampleRate: sampleRate, channels: channels, arrival: nanoseconds) }
    }

    func keptAudio(_ bytes: ByteBuffer, sampleRate: Int, channels: Int) {
        session?.assumeIsolated { $0.keptAudio(bytes, sampleRate: sampleRate, channels: channels) }
    }

    func keptAudioEnded() { session?.assumeIsolated { $0.replayEnded() } }

    func receive(_ input: ClientInput) { session?.assumeIsolated { $0.receive(input) } }

    func callerAway(_ reason: String) {
        session?.assumeIsolated { $0.callerAway(reason) }
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        window?.cancel()
        window = eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(core.reconnectWindow)) {
            bound.value.callerLeft("\(reason); did not come back in time")
        }
    }

    func callerBack() {
        window?.cancel()
        session?.assumeIsolated { $0.callerBack() }
    }

    func callerLeft(_ reason: String) { session?.assumeIsolated { $0.clientDisconnected(reason) } }

    func evicted(_ reason: String) {
        if isHandedOver { end() } else { lost(reason) }
    }

    func failed(_ reason: String, isFinal: Bool) {
        core.logger(for: attach).warning("room lost", metadata: ["reason": "\(reason)"])
        guard isFinal else { return giveAway() }
        session?.assumeIsolated { $0.clientDisconnected(reason) }
    }

    /// The room cannot be served from here any more: somebody else goes on at once.
    func giveAway() {
        session?.assumeIsolated { session in
            session.giveUp(isReplayed: false) { [weak self] in
                guard let self else { return }
                eventLoop.execute { self.handedOver() }
            }
        }
    }

    private func lost(_ reason: String) {
        core.logger(for: attach).notice("session lost", metadata: ["reason": "\(reason)"])
        session?.assumeIsolated { $0.lost() }
    }

    // MARK: The end

    private func ended(_ reason: EndReason) {
        guard let session else { return }
        self.session = nil
        window?.cancel()
        if let clockKey { clock.remove(clockKey) }
        core.remove(session)
        core.sessionEnded(weight: attach.weight)
        core.logger(for: attach).info("session ended", metadata: ["reason": "\(reason.rawValue)"])
        switch reason {
        case .handedOver: handedOver()
        // The same worker has it again, or gives it away.
        case .superseded: break
        default:
            tell(.end(code: reason.closeCode, reason: reason.rawValue))
            end()
        }
    }

    /// The agent stays in the room, silent, until its successor puts it out.
    private func handedOver() {
        isHandedOver = true
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.assumeIsolated().scheduleTask(in: Self.patience) { bound.value.end() }
        if link == nil { core.offer(self) } else { tell(.handover(fence: fence)) }
    }

    private func end() {
        isOver = true
        core.withdraw(self)
        core.forget(self)
    }
}
