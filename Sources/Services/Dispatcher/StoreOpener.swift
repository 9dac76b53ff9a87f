import Foundation
package import SessionLog
import Synchronization

/// `SessionOpening` by the session store. Remembers which agent versions the store has, for a while.
package final class StoreOpener: SessionOpening {
    private let client: StoreClient
    private let region: String
    private let known = Mutex<[String: ContinuousClock.Instant]>([:])

    package init(client: StoreClient, region: String) {
        self.client = client
        self.region = region
    }

    package func open(
        tenant: String, agent: AgentVersion, colleagues: [AgentVersion], backend: String, parameters: [String: String], key: String
    ) async throws -> (session: String, fence: UInt64) {
        for version in [agent] + colleagues { try await put(version, tenant) }
        var opened = Opened()
        opened.tenant = tenant
        opened.region = region
        opened.agent = agent.name
        opened.agentHash = agent.hash
        for colleague in colleagues { opened.agents[colleague.name] = colleague.hash }
        opened.backend = backend
        opened.parameters = parameters
        opened.direction = "inbound"
        var request = StoreOpenRequest()
        request.idempotencyKey = key
        request.tenant = tenant
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
