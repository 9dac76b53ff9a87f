import Telemetry
import Testing

@Suite struct MetricsRegistryTests {
    private func scrape(_ registry: MetricsRegistry) throws -> ExpositionParser {
        try ExpositionParser(registry.exposition())
    }

    @Test func handlesOfTheSameLabelsShareOneValue() throws {
        let registry = MetricsRegistry()
        registry.counter("parley_calls_total", help: "Calls.", labels: ["tenant": "a", "agent": "x"]).increment()
        registry.counter("parley_calls_total", help: "Calls.", labels: ["agent": "x", "tenant": "a"]).increment(by: 2)
        registry.counter("parley_calls_total", help: "Calls.", labels: ["agent": "y", "tenant": "a"]).increment()
        let read = try scrape(registry)
        #expect(read.value("parley_calls_total", ["tenant": "a", "agent": "x"]) == 3)
        #expect(read.value("parley_calls_total", ["tenant": "a", "agent": "y"]) == 1)
        #expect(read.types["parley_calls_total"] == "counter")
        #expect(read.help["parley_calls_total"] == "Calls.")
        #expect(registry.value("parley_calls_total", labels: ["tenant": "a", "agent": "x"]) == 3)
    }

    @Test func countersNeverGoDownAndTakeFractions() {
        let counter = MetricsRegistry().counter("parley_cpu_seconds_total", help: "CPU.")
        counter.add(.milliseconds(250))
        counter.increment()
        counter.increment(by: -5)
        counter.add(-1)
        counter.add(.nan)
        #expect(counter.value == 1.25)
    }

    @Test func countsFromManyThreadsAddUp() async {
        let registry = MetricsRegistry()
        let counter = registry.counter("parley_events_total", help: "Events.")
        let gauge = registry.gauge("parley_level", help: "Level.")
        let histogram = registry.histogram("parley_wait_seconds", help: "Waits.")
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for _ in 0..<1000 {
                        counter.increment()
                        counter.add(0.5)
                        gauge.increment(by: 2)
                        gauge.decrement()
                        histogram.observe(0.25)
                    }
                }
            }
        }
        #expect(counter.value == 12_000)
        #expect(gauge.value == 8000)
        #expect(histogram.snapshot.count == 8000)
        #expect(histogram.snapshot.sum == 2000)
    }

    @Test func labelValuesAndHelpSurviveTheTextFormat() throws {
        let registry = MetricsRegistry()
        let awkward = "a \"quoted\"\\path\nnext {x=\"1\"} ü"
        registry.gauge("parley_odd", help: "Back\\slash and\nline.", labels: ["text": awkward]).set(-1.5)
        let read = try scrape(registry)
        #expect(read.value("parley_odd", ["text": awkward]) == -1.5)
        #expect(read.help["parley_odd"] == "Back\\slash and\nline.")
    }

    @Test func specialNumbersAreWrittenAsPrometheusReadsThem() throws {
        let registry = MetricsRegistry()
        let values: [Double] = [.infinity, -.infinity, 0, 1e-7, 12_345_678_901, 0.1, 1e300]
        for (index, value) in values.enumerated() {
            registry.gauge("parley_number", help: "Numbers.", labels: ["i": "\(index)"]).set(value)
        }
        registry.gauge("parley_nan", help: "NaN.").set(.nan)
        let read = try scrape(registry)
        for (index, value) in values.enumerated() {
            #expect(read.value("parley_number", ["i": "\(index)"]) == value)
        }
        #expect(read.value("parley_nan")?.isNaN == true)
        #expect(registry.exposition().contains("parley_number{i=\"4\"} 12345678901\n"))
    }

    @Test func histogramsAreCumulativeAndIncludeTheirBounds() throws {
        let registry = MetricsRegistry()
        let histogram = registry.histogram(
            "parley_turn_seconds", help: "Turns.", buckets: [1, 0.1, 0.5], labels: ["part": "llm"])
        for value in [0.1, 0.05, 0.3, 2, .nan] { histogram.observe(value) }
        histogram.observe(.milliseconds(700))
        let read = try scrape(registry)
        func bucket(_ bound: String) -> Double? {
            read.value("parley_turn_seconds_bucket", ["part": "llm", "le": bound])
        }
        #expect(bucket("0.1") == 2)
        #expect(bucket("0.5") == 3)
        #expect(bucket("1") == 4)
        #expect(bucket("+Inf") == 5)
        #expect(read.value("parley_turn_seconds_count", ["part": "llm"]) == 5)
        let sum = try #require(read.value("parley_turn_seconds_sum", ["part": "llm"]))
        #expect((sum - 3.15).magnitude < 1e-9)
        #expect(read.types["parley_turn_seconds"] == "histogram")
    }

    @Test func quantilesInterpolateInsideABucket() {
        let registry = MetricsRegistry()
        let histogram = registry.histogram("parley_x_seconds", help: "X.", buckets: [1, 2, 4])
        #expect(histogram.snapshot.quantile(0.5) == nil)
        for value in [0.5, 1.5, 1.6, 3] { histogram.observe(value) }
        #expect(histogram.snapshot.quantile(0.5) == 1.5)
        #expect(histogram.snapshot.quantile(1) == 4)
        histogram.observe(100)
        #expect(histogram.snapshot.quantile(1) == 4)
    }

    @Test func labelSetsBeyondTheBoundAreCountedTogether() throws {
        let registry = MetricsRegistry(maximumSeriesPerMetric: 2)
        for tenant in ["a", "b", "c", "d", "a"] {
            registry.counter("parley_calls_total", help: "Calls.", labels: ["tenant": tenant]).increment()
        }
        let read = try scrape(registry)
        #expect(read.value("parley_calls_total", ["tenant": "a"]) == 2)
        #expect(read.value("parley_calls_total", ["tenant": "b"]) == 1)
        #expect(read.value("parley_calls_total", ["tenant": "other"]) == 2)
        #expect(read.value("parley_calls_total", ["tenant": "c"]) == nil)
        #expect(read.value("parley_metrics_series_overflow_total", ["metric": "parley_calls_total"]) == 2)
    }

    @Test func aNameUsedForTwoKindsKeepsTheFirstAndCountsTheConflict() throws {
        let registry = MetricsRegistry()
        registry.counter("parley_thing", help: "Thing.").increment()
        registry.gauge("parley_thing", help: "Thing.").set(7)
        registry.counter("parley bad name", help: "Bad.").increment()
        registry.counter("parley_ok_total", help: "Bad label.", labels: ["le": "1"]).increment()
        let read = try scrape(registry)
        #expect(read.value("parley_thing") == 1)
        #expect(read.value("parley_metrics_conflicts_total", ["metric": "parley_thing"]) == 1)
        #expect(read.value("parley_metrics_conflicts_total", ["metric": "parley bad name"]) == 1)
        #expect(read.value("parley_metrics_conflicts_total", ["metric": "parley_ok_total"]) == 1)
    }

    @Test func removedSeriesAreNoLongerExported() throws {
        let registry = MetricsRegistry()
        let gauge = registry.gauge("parley_worker_load", help: "Load.", labels: ["worker": "1"])
        registry.gauge("parley_worker_load", help: "Load.", labels: ["worker": "2"]).set(0.5)
        registry.remove("parley_worker_load", labels: ["worker": "1"])
        gauge.set(1)
        let read = try scrape(registry)
        #expect(read.samples == [.init(name: "parley_worker_load", labels: ["worker": "2"], value: 0.5)])
    }

    @Test func collectorsRunBeforeEveryExposition() throws {
        let registry = MetricsRegistry()
        let scrapes = registry.counter("parley_scrapes_total", help: "Scrapes.")
        registry.onCollect { scrapes.increment() }
        _ = registry.exposition()
        #expect(try scrape(registry).value("parley_scrapes_total") == 2)
    }

    @Test func anEmptyRegistryWritesNothing() {
        #expect(MetricsRegistry().exposition() == "")
    }
}
