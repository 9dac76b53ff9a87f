package import SessionLog

/// What a session store can be told.
package struct StoreSettings: Sendable {
    /// Partitions of this region's keys; part of every session id, so that it may only grow.
    package var partitions = 16
    /// The least time between two batches, in milliseconds.
    package var batchInterval: Int64 = 3
    /// Events in one batch.
    package var batchEvents = 512
    /// Events that may wait for Redis in this process; more are answered `unavailable`.
    package var waitingEvents = 50_000
    /// How long a lease lasts, in milliseconds of Redis time.
    package var lease: Int64 = 3_000
    /// Lease periods after which leases mean something again when Redis was away, or this process has just begun.
    package var settlingLeases: Int64 = 2
    /// How long after its claim, in milliseconds of Redis time, an owner may restore a session that Redis has lost with its last second.
    package var restorableAge: Int64 = 60_000
    /// How long a new session may be without an owner before it counts as orphaned, in milliseconds.
    package var openingGrace: Int64 = 10_000
    /// How long header and log live after the last renewal, in milliseconds.
    package var life: Int64 = 3_600_000
    /// How long agent definitions live after they were last asked for, in milliseconds.
    package var agentLife: Int64 = 86_400_000
    /// Bytes of one event; a larger one is refused as malformed.
    package var eventBytes = 256 << 10
    /// Share of Redis's memory above which telemetry is refused.
    package var telemetryStopsAt = 0.60
    /// Share of Redis's memory above which no session is opened.
    package var openingStopsAt = 0.75
    /// How long a close, a claim or a tool call with side effects waits for a replica.
    package var replicaPatience = Duration.milliseconds(500)
    /// Sees every event before it is stored.
    package var redaction: any RedactionHook = NoRedaction()

    package init() {}
}
