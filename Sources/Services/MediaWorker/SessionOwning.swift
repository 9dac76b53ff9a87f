package import NIOCore
package import SessionLog

/// What a worker asks of the session store.
package protocol SessionOwning: Sendable {
    /// Claims a session by compare-and-set on the fence last seen and returns its log.
    func claim(session: String, tenant: String, seenFence: UInt64, reason: String) async throws -> ClaimedSession
    /// The YAML text of an agent version.
    func agentDefinition(hash: String, tenant: String) async throws -> String
    /// The session's way into the log. `lost` is called on `eventLoop` when another owner has taken it.
    func journal(
        for claimed: ClaimedSession, on eventLoop: any EventLoop, lost: @escaping @Sendable (String) -> Void
    ) -> any SessionJournal
}

/// A session that this worker owns now.
package struct ClaimedSession: Sendable {
    package var tenant: String
    /// As the store answered, for its journal.
    package var reply: StoreClaimReply
    /// The log, decoded.
    package var events: [Event]

    package init(tenant: String, reply: StoreClaimReply, events: [Event]) {
        self.tenant = tenant
        self.reply = reply
        self.events = events
    }

    package var fence: UInt64 { reply.fence }
    package var agentHash: String { reply.header.agentHash }
}
