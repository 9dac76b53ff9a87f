import SessionLog
import Telemetry

/// What a session store counts.
struct StoreMetrics: Sendable {
    private let outcomes: [StoreAppendOutcome: Counter]
    let events: Counter
    let batches: Counter
    let appendSeconds: Histogram
    let renewed: Counter
    let lost: Counter
    let opened: Counter
    let claimed: Counter
    let restored: Counter
    let refusedOpenings: Counter
    let commands: Counter
    let unreplicated: Counter
    let streams: Gauge
    let followers: Gauge
    let waiting: Gauge
    let memory: Gauge
    let replicas: Gauge

    init(_ registry: MetricsRegistry) {
        let kinds: [(StoreAppendOutcome, String)] = [
            (.stored, "stored"), (.behind, "behind"), (.fenced, "fenced"), (.gone, "gone"),
            (.unavailable, "unavailable"),
            (.refused, "refused"),
        ]
        outcomes = Dictionary(
            uniqueKeysWithValues: kinds.map { outcome, name in
                (
                    outcome,
                    registry.counter(
                        "parley_store_appends_total", help: "Appends by outcome.", labels: ["outcome": name])
                )
            })
        events = registry.counter("parley_store_events_total", help: "Events sent to Redis.")
        batches = registry.counter("parley_store_batches_total", help: "Script calls that append.")
        appendSeconds = registry.histogram(
            "parley_store_append_seconds", help: "From the arrival of an append to its answer.",
            buckets: [0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.02, 0.05, 0.1, 0.5, 2])
        renewed = registry.counter("parley_store_renewals_total", help: "Leases renewed.")
        lost = registry.counter("parley_store_lost_total", help: "Sessions that an owner was told it lost.")
        opened = registry.counter("parley_store_opened_total", help: "Sessions opened.")
        claimed = registry.counter("parley_store_claims_total", help: "Sessions claimed.")
        restored = registry.counter(
            "parley_store_restored_total", help: "Sessions that Redis had lost and their owners brought back.")
        refusedOpenings = registry.counter(
            "parley_store_openings_refused_total", help: "Sessions not opened for lack of memory.")
        commands = registry.counter("parley_store_commands_total", help: "Commands recorded.")
        unreplicated = registry.counter(
            "parley_store_unreplicated_total", help: "Writes that wanted a replica and went on without.")
        streams = registry.gauge("parley_store_owner_streams", help: "Workers connected.")
        followers = registry.gauge("parley_store_followers", help: "Live tails.")
        waiting = registry.gauge("parley_store_waiting_events", help: "Events that wait for their batch.")
        memory = registry.gauge("parley_store_redis_memory_ratio", help: "Memory of Redis in use, of its maximum.")
        replicas = registry.gauge("parley_store_redis_replicas", help: "Replicas connected to Redis.")
    }

    func count(_ outcome: StoreAppendOutcome) { outcomes[outcome]?.increment() }
}
