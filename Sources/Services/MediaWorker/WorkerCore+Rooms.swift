import NIOCore
import RelayLink
import Synchronization

/// The sessions in rooms, and those among them that no dispatcher has a link to.
extension WorkerCore {
    struct Rooms {
        fileprivate struct Offer {
            var session: RoomedSession
            /// When it was offered last; monotonic nanoseconds.
            var offeredAt: Int64?
        }

        /// A dispatcher that has not adopted a session within this will not.
        fileprivate static let patience: Int64 = 2_000_000_000

        fileprivate var sessions: [String: RoomedSession] = [:]
        fileprivate var offers: [ObjectIdentifier: Offer] = [:]
    }

    func remember(_ room: RoomedSession) { rooms.withLock { $0.sessions[room.name] = room } }
    func forget(_ room: RoomedSession) {
        rooms.withLock { rooms in
            if rooms.sessions[room.name] === room { rooms.sessions[room.name] = nil }
        }
    }
    func room(of session: String) -> RoomedSession? { rooms.withLock { $0.sessions[session] } }

    /// The session's dispatcher is gone: the next one that listens is asked to adopt it.
    func offer(_ room: RoomedSession) { rooms.withLock { $0.offers[ObjectIdentifier(room)] = .init(session: room) } }
    func withdraw(_ room: RoomedSession) { rooms.withLock { $0.offers[ObjectIdentifier(room)] = nil } }

    /// A session for the dispatcher that asks; each is offered to one at a time.
    func nextOffer(_ now: Int64) -> RelayAdoption? {
        rooms.withLock { rooms in
            let due = rooms.offers.first { $0.value.offeredAt.map { now - $0 > Rooms.patience } ?? true }
            guard let due else { return nil }
            rooms.offers[due.key]?.offeredAt = now
            return due.value.session.adoption
        }
    }

    /// The backend broke in this process: its sessions are given away at once, and no others are taken.
    package func giveAwayRooms() {
        drain()
        for room in rooms.withLock({ Array($0.sessions.values) }) { room.eventLoop.execute { room.giveAway() } }
    }
}
