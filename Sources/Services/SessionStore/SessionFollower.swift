import GRPCCore
import RedisClient
import SessionLog
import SwiftProtobuf

/// A follower of one session log: what is there, then what is added, until the session is closed or its log is gone.
struct SessionFollower: Sendable {
    let directory: SessionDirectory
    let tail: StreamTail

    private static let page = 200

    func follow(_ request: StoreFollowRequest, send: (StoreFollowReply) async throws -> Void) async throws {
        let session = try directory.id(request.session)
        _ = try await directory.header(of: session, tenant: request.tenant)
        guard var cursor = request.after.isEmpty ? .start : StreamEntry.ID(request.after) else {
            throw StoreFailure.invalid("'\(request.after)' is no cursor of an earlier reply")
        }
        while true {
            if try await catchUp(session, &cursor, send) { return }
            for await entries in await tail.entries(of: RedisKeys.log(session), after: cursor) {
                if try await pass(entries, &cursor, send) { return }
            }
            try Task.checkCancellation()
            // The tail ended: the connection broke, or this follower was too slow. Closed sessions and expired logs end here too.
            _ = try await directory.header(of: session, tenant: request.tenant)
        }
    }

    private func catchUp(
        _ session: SessionID, _ cursor: inout StreamEntry.ID, _ send: (StoreFollowReply) async throws -> Void
    ) async throws -> Bool {
        while true {
            let reply = try await directory.send(
                RedisCommand("XRANGE", .string(RedisKeys.log(session)), "(\(cursor)", "+", "COUNT", .integer(Self.page))
            )
            let entries = StreamEntry.entries(reply)
            if try await pass(entries, &cursor, send) { return true }
            if entries.count < Self.page { return false }
        }
    }

    /// Passes entries on; true when the session's end is among them.
    private func pass(
        _ entries: [StreamEntry], _ cursor: inout StreamEntry.ID, _ send: (StoreFollowReply) async throws -> Void
    ) async throws -> Bool {
        guard let last = entries.last else { return false }
        let events = entries.compactMap(\.event)
        let isClosed = events.contains { bytes in
            if case .closed = (try? Event(stored: bytes))?.body { true } else { false }
        }
        cursor = last.id
        try await send(
            .with {
                $0.cursor = last.id.description
                $0.events = events
                $0.closed = isClosed
            })
        return isClosed
    }
}
