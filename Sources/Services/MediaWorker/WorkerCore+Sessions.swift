import Conversation
import NIOCore
import RelayLink
import Synchronization

/// The sessions that a worker has now, by id: the caller may bring one of them again over another link.
extension WorkerCore {
    /// A session and the connection of the client that it serves.
    struct Owned {
        let session: VoiceSession
        let attachment: String
        let generation: UInt32
    }

    func add(_ session: VoiceSession, _ attach: RelayAttach) {
        let owned = Owned(session: session, attachment: attach.attachment, generation: attach.generation)
        sessions.withLock { $0[session.identity.session] = owned }
        // A drain that began while it was claimed has not seen it.
        if isDraining { Self.handOver(session) }
    }

    func remove(_ session: VoiceSession) {
        sessions.withLock { sessions in
            if sessions[session.identity.session]?.session === session { sessions[session.identity.session] = nil }
        }
    }

    /// The client has connected again since, and this worker has the session with it.
    func isSuperseded(_ attach: RelayAttach) -> Bool {
        sessions.withLock { $0[attach.session].map { $0.generation > attach.generation } ?? false }
    }

    /// Ends what this worker does with the session; returns when its log has everything.
    func giveUp(_ session: String, for attach: RelayAttach) async {
        guard let owned = sessions.withLock({ $0[session] }) else { return }
        await withCheckedContinuation { continuation in
            owned.session.eventLoop.execute {
                owned.session.assumeIsolated { session in
                    session.giveUp(isReplayed: owned.attachment == attach.attachment) { continuation.resume() }
                }
            }
        }
    }

    /// Calls back, on some loop, when the worker has time for this attach: at once for a new session, in its turn for a takeover.
    func whenFree(_ attach: RelayAttach, _ start: @escaping @Sendable (TakeoverSlot?) -> Void) {
        guard attach.reason != "opened" else { return start(nil) }
        let due = takeovers.withLock { $0.enter(isUrgent: attach.isUrgent) { start($0) } }
        for start in due { start(TakeoverSlot()) }
    }

    func free(_ slot: TakeoverSlot?) {
        guard slot != nil else { return }
        let due = takeovers.withLock { $0.leave() }
        for start in due { start(TakeoverSlot()) }
    }
}
