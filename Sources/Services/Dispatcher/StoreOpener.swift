import BackendKit
import Foundation
package import SessionLog
import Synchronization

/// `SessionOpener` by the session store. Remembers which agent versions the store has, for a while.
package final class StoreOpener: SessionOpener {
    private let client: StoreClient
    private let region: String
    private let known = Mutex<[String: ContinuousClock.Instant]>([:])

    package init(client: StoreClient, region: String) {
        self.client = client
        self.region = region
    }

    package func open(_ opening: SessionOpening) async throws -> (session: String, fence: UInt64) {
        for version in [opening.agent] + opening.colleagues { try await put(version, opening.tenant) }
        var opened = Opened()
        opened.tenant = opening.tenant
        opened.region = region
        opened.agent = opening.agent.name
        opened.agentHash = opening.agent.hash
        for colleague in opening.colleagues { opened.agents[colleague.name] = colleague.hash }
        opened.backend = opening.backend
        opened.parameters = opening.parameters
        opened.direction = "inbound"
        opened.room = Data(opening.room)
        opened.redaction = opening.privacy.redaction
        opened.retentionDays = UInt32(clamping: opening.privacy.retentionDays)
        var request = StoreOpenRequest()
        request.idempotencyKey = opening.key
        request.tenant = opening.tenant
        request.region = region
        request.opened = opened
        let reply: StoreOpenReply
        do {
            reply = try await client.open(request)
        } catch {
            if error.code == .full { throw AdmissionError(.full, "the service is at its limit; try again in a few seconds") }
            throw error
        }
        return (reply.session, reply.fence)
    }

    /// The store keeps definitions for longer than the 10 minutes that this remembers.
    private func put(_ agent: AgentVersion, _ tenant: String) async throws {
        let key = "\(tenant)/\(agent.hash)"
        let now = ContinuousClock.now
        if let since = known.withLock({ $0[key] }), now - since < .seconds(600) { return }
        try await client.putAgent(tenant: tenant, hash: agent.hash, definition: Data(agent.definition.utf8))
        known.withLock { known in
            if known.count > 10_000 { known.removeAll() }
            known[key] = now
        }
    }
}
