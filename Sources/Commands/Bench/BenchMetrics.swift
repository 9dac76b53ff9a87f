import ClusterSupport

/// What a worker's `/metrics` say that a measurement needs.
struct BenchMetrics: Sendable {
    private var samples: [String: Double] = [:]

    static func read(_ cluster: LocalCluster) async -> BenchMetrics {
        var metrics = BenchMetrics()
        let text = await LocalCluster.get(cluster.opsURL("media-worker-1") + "/metrics")?.body ?? ""
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else { continue }
            metrics.samples[String(line[..<space])] = value
        }
        return metrics
    }

    func difference(from earlier: BenchMetrics) -> BenchMetrics {
        BenchMetrics(samples: samples.mapValues { $0 }.merging(earlier.samples) { $0 - $1 })
    }

    var verdictsInTime: Double { sum("parley_session_verdicts_in_time_total") }
    var verdictsLate: Double { sum("parley_session_verdicts_late_total") }
    var verdictsSkipped: Double { sum("parley_session_verdicts_skipped_total") }

    /// Means of the parts of the turn latency, milliseconds.
    var parts: [String: Double] {
        var parts: [String: Double] = [:]
        for (name, value) in samples where name.hasPrefix("parley_turn_latency_seconds_sum") {
            guard let label = name.split(separator: "part=\"").dropFirst().first?.prefix(while: { $0 != "\"" }) else { continue }
            let count = samples[name.replacing("_sum{", with: "_count{")] ?? 0
            if count > 0 { parts[String(label)] = value / count * 1_000 }
        }
        return parts
    }

    private func sum(_ name: String) -> Double {
        samples.filter { $0.key == name || $0.key.hasPrefix(name + "{") }.reduce(0) { $0 + $1.value }
    }
}
