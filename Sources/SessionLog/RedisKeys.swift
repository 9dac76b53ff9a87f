/// The keys of hot session state in Redis.
package enum RedisKeys {
    /// Hash: tenant, agent, backend, status, owner, address, fence, next, last_fence, version.
    package static func session(_ id: SessionID) -> String { "\(prefix(id.partition)):session:\(id)" }
    /// Stream: the session log. Entry ids are `fence-sequence`, the one field is `event`.
    package static func log(_ id: SessionID) -> String { "\(prefix(id.partition)):log:\(id)" }
    /// Sorted set: session id by the end of its lease, in milliseconds of Redis time.
    package static let leases = "parley:leases"
    /// Stream for the archivers' consumer group. Fields: session, fence, sequence, tenant, event.
    package static func archive(partition: Int) -> String { "\(prefix(partition)):archive" }
    /// Hash: a command to a session and its outcome.
    package static func command(_ id: SessionID, _ command: String) -> String {
        "\(prefix(id.partition)):command:\(id):\(command)"
    }
    /// String: the session that an idempotency key opened.
    package static func open(partition: Int, tenant: String, key: String) -> String {
        "\(prefix(partition)):open:\(tenant.utf8.count):\(tenant):\(key)"
    }
    /// Stream: commands on their way to a worker. Fields: session, command, kind, payload.
    package static func inbox(worker: String) -> String { "parley:inbox:\(worker)" }
    /// Hash: address, version and load of a worker, as its stream to a store said last; lives 5 s.
    package static func heartbeat(worker: String) -> String { "parley:heartbeat:\(worker)" }
    /// String: an agent definition by content hash.
    package static func agent(tenant: String, hash: String) -> String {
        "parley:agent:\(tenant.utf8.count):\(tenant):\(hash)"
    }

    private static func prefix(_ partition: Int) -> String { "parley:{\(partition)}" }
}
