import Foundation
package import NIOCore
package import SessionLog
import SwiftProtobuf

/// `SessionOwning` by the real store.
package struct StoreOwner: SessionOwning {
    private let client: StoreClient
    private let stream: OwnerStream
    private let worker: String
    private let address: String

    /// `stream` must be running.
    package init(client: StoreClient, stream: OwnerStream, worker: String, address: String) {
        self.client = client
        self.stream = stream
        self.worker = worker
        self.address = address
    }

    package func claim(session: String, tenant: String, seenFence: UInt64, reason: String) async throws -> ClaimedSession {
        let reply = try await client.claim(
            .with {
                $0.tenant = tenant
                $0.session = session
                $0.worker = worker
                $0.seenFence = seenFence
                $0.highestFence = seenFence
                $0.reason = reason
                $0.address = address
                $0.readerVersion = Event.currentVersion
            })
        let events = try reply.events.map { try Event(serializedBytes: $0) }
        return ClaimedSession(tenant: tenant, reply: reply, events: events)
    }

    package func agentDefinition(hash: String, tenant: String) async throws -> String {
        String(decoding: try await client.getAgent(tenant: tenant, hash: hash), as: UTF8.self)
    }

    package func journal(
        for claimed: ClaimedSession, on eventLoop: any EventLoop, lost: @escaping @Sendable (String) -> Void
    ) -> any SessionJournal {
        stream.own(tenant: claimed.tenant, claim: claimed.reply, eventLoop: eventLoop) { notice in
            if case .lost(let reason) = notice { lost(reason) }
        }
    }
}
