package import Telemetry

/// What sessions count, by tenant.
package struct SessionMetrics: Sendable {
    package let turns: Counter
    package let interruptions: Counter
    package let speculationsKept: Counter
    package let speculationsDiscarded: Counter
    package let unloggedSentences: Counter
    package let verdictsInTime: Counter
    package let verdictsLate: Counter
    package let verdictsSkipped: Counter
    package let ignoredUtterances: Counter
    package let providerFailures: Counter
    package let underruns: Counter
    package let lateAudioMilliseconds: Counter
    private let parts: [TurnLatency.Part: Histogram]

    package init(registry: MetricsRegistry, tenant: String) {
        let labels = ["tenant": tenant]
        func counter(_ name: String, _ help: String) -> Counter {
            registry.counter("parley_session_\(name)_total", help: help, labels: labels)
        }
        turns = counter("turns", "User turns committed.")
        interruptions = counter("interruptions", "Replies that a caller interrupted.")
        speculationsKept = counter("speculations_kept", "Speculative replies that were released at commit.")
        speculationsDiscarded = counter("speculations_discarded", "Speculative replies that were thrown away.")
        unloggedSentences = counter("sentences_unlogged", "Sentences whose audio left before the log acknowledged them.")
        verdictsInTime = counter("verdicts_in_time", "Turn model verdicts that came before their deadline.")
        verdictsLate = counter("verdicts_late", "Turn model verdicts that came too late, so that silence decided.")
        verdictsSkipped = counter("verdicts_skipped", "Turn model requests that were shed.")
        ignoredUtterances = counter("utterances_ignored", "Back-channels and speech without words.")
        providerFailures = counter("provider_failures", "Failures that providers reported after their own retries.")
        underruns = counter("playout_underruns", "Gaps in the agent's speech because audio came too late.")
        lateAudioMilliseconds = counter("late_audio_ms", "Caller audio that came over 1 s late and was dropped.")
        var parts: [TurnLatency.Part: Histogram] = [:]
        for part in TurnLatency.Part.allCases {
            parts[part] = registry.histogram(
                "parley_turn_latency_seconds", help: "Time from the caller's end of speech to a part of the answer.",
                labels: ["tenant": tenant, "part": part.rawValue])
        }
        self.parts = parts
    }

    func record(_ latency: TurnLatency) {
        for (part, milliseconds) in latency.milliseconds { parts[part]?.observe(milliseconds / 1_000) }
    }
}
