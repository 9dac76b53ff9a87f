import Synchronization
import Telemetry

/// What an archiver counts.
final class ArchiverMetrics: Sendable {
    private let registry: MetricsRegistry
    private let stored: Counter
    private let duplicates: Counter
    private let deadLetters: Counter
    private let failures: Counter
    private let seconds: Histogram
    private let lag: Gauge
    private let lags: Mutex<[Int: Double]> = Mutex([:])
    private let minutesLeft: Gauge

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        stored = registry.counter("parley_archiver_events_total", help: "Events stored in PostgreSQL.")
        duplicates = registry.counter(
            "parley_archiver_duplicates_total", help: "Events delivered again and already stored; they change nothing.")
        deadLetters = registry.counter(
            "parley_archiver_dead_letters_total",
            help: "Entries put into parley.dead_letters because they cannot be stored.")
        failures = registry.counter("parley_archiver_failures_total", help: "Batches that failed and are tried again.")
        seconds = registry.histogram("parley_archiver_batch_seconds", help: "Time to store a batch.")
        lag = registry.gauge(
            "parley_archiver_lag_seconds",
            help: "Age of the oldest entry of the last batch when it was committed, the longest of all lanes.")
        minutesLeft = registry.gauge(
            "parley_archiver_minutes_left",
            help: "Minutes until Redis refuses new sessions if memory goes on growing as now; 10080 means not in sight."
        )
        minutesLeft.set(MemoryOutlook.longest)
    }

    func batch(_ outcome: BatchWriter.Outcome, took duration: Duration, lagMilliseconds: Int64?, lane: Int) {
        stored.increment(by: outcome.stored)
        duplicates.increment(by: outcome.duplicates)
        deadLetters.increment(by: outcome.deadLetters)
        seconds.observe(duration)
        if let lagMilliseconds { set(lag: Double(max(0, lagMilliseconds)) / 1000, lane: lane) }
    }

    func idle(lane: Int) { set(lag: 0, lane: lane) }

    /// The longest of all lanes is told.
    private func set(lag seconds: Double, lane: Int) {
        lag.set(
            lags.withLock { lags in
                lags[lane] = seconds
                return lags.values.max() ?? 0
            })
    }

    func failed() { failures.increment() }

    func set(minutesLeft minutes: Double) { minutesLeft.set(minutes) }

    func set(waiting: Int, stream: String) {
        registry.gauge(
            "parley_archiver_waiting_entries", help: "Entries not yet stored, by stream.", labels: ["stream": stream]
        ).set(waiting)
    }

    func set(defaultRows: Int, table: String) {
        registry.gauge(
            "parley_archiver_default_partition_rows",
            help: "Rows for which no month had been prepared; more than 0 needs attention.", labels: ["table": table]
        ).set(defaultRows)
    }
}
