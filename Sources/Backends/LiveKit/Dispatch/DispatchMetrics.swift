import Telemetry

/// The counters of one registration.
struct DispatchMetrics: Sendable {
    static let jobs = "parley_livekit_jobs_total"
    static let reconnects = "parley_livekit_reconnects_total"
    static let known = "parley_livekit_registered"

    private let outcomes: [DispatchOutcome: Counter]
    /// 1 while the server knows us.
    let registered: Gauge

    init(_ registry: MetricsRegistry, agentName: String) {
        let agent = ["agent": agentName]
        var outcomes: [DispatchOutcome: Counter] = [:]
        for outcome in DispatchOutcome.ofJobs {
            outcomes[outcome] = registry.counter(
                Self.jobs, help: "Jobs of LiveKit servers, by what became of them.",
                labels: agent.merging(["outcome": outcome.rawValue]) { $1 })
        }
        outcomes[.reconnected] = registry.counter(
            Self.reconnects, help: "Registrations at LiveKit servers after a connection was lost.", labels: agent)
        self.outcomes = outcomes
        registered = registry.gauge(
            Self.known, help: "Whether the LiveKit server knows this dispatcher (1) or not (0).", labels: agent)
    }

    func count(_ outcome: DispatchOutcome) { outcomes[outcome]?.increment() }
}
