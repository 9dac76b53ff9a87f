import Synchronization

/// All metrics of a process; made once at its start and passed to whatever counts.
///
/// Resolving a handle takes a lock and builds a label string: do it once per label set and keep the handle. A metric has at most
/// `maximumSeriesPerMetric` label sets; whoever asks for one more gets the series whose label values are all `other`, and
/// `parley_metrics_series_overflow_total` counts it. A name that is used again as another kind of metric, or that Prometheus would
/// refuse, yields a handle that works and is not exported; `parley_metrics_conflicts_total` counts it.
package final class MetricsRegistry: Sendable {
    private struct State {
        var families: [String: MetricFamily] = [:]
        var collectors: [@Sendable () -> Void] = []
    }

    private let maximumSeriesPerMetric: Int
    private let state = Mutex(State())

    /// An empty registry. `maximumSeriesPerMetric` bounds the label sets of each metric.
    package init(maximumSeriesPerMetric: Int = 1000) {
        self.maximumSeriesPerMetric = max(1, maximumSeriesPerMetric)
    }

    /// The counter of this name and these labels; by convention the name ends in `_total`.
    package func counter(_ name: String, help: String, labels: [String: String] = [:]) -> Counter {
        let series = resolve(name, help, .counter, labels)
        guard case .counter(let counter) = series else { return Counter() }
        return counter
    }

    /// The gauge of this name and these labels.
    package func gauge(_ name: String, help: String, labels: [String: String] = [:]) -> Gauge {
        let series = resolve(name, help, .gauge, labels)
        guard case .gauge(let gauge) = series else { return Gauge() }
        return gauge
    }

    /// The histogram of this name and these labels; by convention the name ends in the unit, `_seconds` for latencies.
    ///
    /// - Parameter buckets: upper bounds; those of the first caller hold for all series of the name.
    package func histogram(
        _ name: String, help: String, buckets: [Double] = Histogram.voiceLatencyBounds, labels: [String: String] = [:]
    ) -> Histogram {
        let series = resolve(name, help, .histogram(bounds: buckets), labels)
        guard case .histogram(let histogram) = series else { return Histogram(bounds: buckets) }
        return histogram
    }

    /// Forgets one series, so that what is gone (a worker, a tenant) is no longer exported. Handles to it keep working unseen.
    package func remove(_ name: String, labels: [String: String]) {
        state.withLock { _ = $0.families[name]?.series.removeValue(forKey: MetricFamily.key(labels)) }
    }

    /// Has `collect` called before every exposition, to set gauges whose value is only worth knowing then.
    ///
    /// It must be quick and must not wait; it runs outside the registry's lock and may resolve handles.
    package func onCollect(_ collect: @escaping @Sendable () -> Void) {
        state.withLock { $0.collectors.append(collect) }
    }

    /// The value of a counter or gauge, or the number of observations of a histogram; nil when there is no such series.
    package func value(_ name: String, labels: [String: String] = [:]) -> Double? {
        state.withLock { $0.families[name]?.series[MetricFamily.key(labels)]?.value }
    }

    /// All metrics in the Prometheus text format 0.0.4, sorted by name and labels.
    package func exposition() -> String {
        let collectors = state.withLock { $0.collectors }
        for collect in collectors { collect() }
        let families = state.withLock { $0.families }
        return families.values.sorted { $0.name < $1.name }.reduce(into: "") { $1.write(to: &$0) }
    }

    private func resolve(
        _ name: String, _ help: String, _ kind: MetricFamily.Kind, _ labels: [String: String]
    ) -> MetricFamily.Series? {
        guard MetricFamily.isValid(name: name), labels.keys.allSatisfy(MetricFamily.isValid(label:)) else {
            countConflict(name)
            return nil
        }
        let (series, problem) = state.withLock { state -> (MetricFamily.Series?, MetricFamily.Problem?) in
            state.families[name, default: MetricFamily(name: name, help: help, kind: kind)]
                .resolve(kind, labels, limit: maximumSeriesPerMetric)
        }
        switch problem {
        case .conflict: countConflict(name)
        case .overflow: countOverflow(name)
        case nil: break
        }
        return series
    }

    private func countConflict(_ name: String) {
        guard name != "parley_metrics_conflicts_total" else { return }
        counter(
            "parley_metrics_conflicts_total",
            help: "Metrics not exported: name invalid or used for another kind of metric.",
            labels: ["metric": name]
        ).increment()
    }

    private func countOverflow(_ name: String) {
        guard name != "parley_metrics_series_overflow_total" else { return }
        counter(
            "parley_metrics_series_overflow_total",
            help: "Label sets counted under other because a metric had too many.",
            labels: ["metric": name]
        ).increment()
    }
}
