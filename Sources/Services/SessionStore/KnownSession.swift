import SessionLog
import Synchronization

/// A session with its keys, so that they are not made anew for every event.
struct KnownSession: Sendable, Hashable {
    let id: SessionID
    /// The id as text.
    let name: String
    let header: String
    let log: String

    init(_ id: SessionID) {
        self.id = id
        name = id.description
        header = RedisKeys.session(id)
        log = RedisKeys.log(id)
    }
}

/// The sessions that a worker's stream has named lately.
final class KnownSessions: Sendable {
    /// Far more than a worker has at a time; when they are more, all are forgotten.
    private static let limit = 10_000

    private let sessions = Mutex<[String: KnownSession]>([:])

    /// Nil when the text is no session id.
    func session(_ name: String) -> KnownSession? {
        if let known = sessions.withLock({ $0[name] }) { return known }
        guard let session = (try? SessionID(name)).map(KnownSession.init) else { return nil }
        sessions.withLock { sessions in
            if sessions.count >= Self.limit { sessions.removeAll() }
            sessions[name] = session
        }
        return session
    }
}
