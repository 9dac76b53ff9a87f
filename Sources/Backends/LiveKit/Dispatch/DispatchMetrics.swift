import Telemetry

/// The counters of one registration.
struct DispatchMetrics: Sendable {
    private let outcomes: [DispatchOutcome: Counter]
    /// 1 while the server knows us.
    let registered: Gauge

    init(_ registry: MetricsRegistry, agentName: String) {
        let agent = ["agent": agentName]
        var outcomes: [DispatchOutcome: Counter] = [:]
        for outcome in DispatchOutcome.allCases where outcome != .reconnected {
            outcomes[outcome] = registry.counter(
                "parley_livekit_jobs_total", help: "Jobs of LiveKit servers, by what became of them.",
                labels: agent.merging(["outcome": outcome.rawValue]) { $1 })
        }
        outcomes[.reconnected] = registry.counter(
            "parley_livekit_reconnects_total", help: "Registrations at LiveKit servers after a connection was lost.", labels: agent)
        self.outcomes = outcomes
        registered = registry.gauge(
            "parley_livekit_registered", help: "Whether the LiveKit server knows this dispatcher (1) or not (0).", labels: agent)
    }

    func count(_ outcome: DispatchOutcome) { outcomes[outcome]?.increment() }
}
