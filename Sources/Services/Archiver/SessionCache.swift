import SessionLog
import Synchronization

/// Sessions that came lately, by the bytes of their id: reading an id anew for every event of a conversation costs as much as the event.
final class SessionCache: Sendable {
    /// When they are more, all are forgotten.
    private static let limit = 50_000

    private let keys = Mutex<[[UInt8]: SessionKey]>([:])

    /// The session of that id.
    ///
    /// - Throws: `invalidSessionID`
    func key(_ id: [UInt8]) throws(SessionLogError) -> SessionKey {
        if let key = keys.withLock({ $0[id] }) { return key }
        let session = try SessionID(String(decoding: id, as: UTF8.self))
        let key = SessionKey(day: session.openingDate.iso, session: session.description)
        keys.withLock { keys in
            if keys.count >= Self.limit { keys.removeAll() }
            keys[id] = key
        }
        return key
    }
}
