import Testing

@testable import Telemetry

@Suite struct ProcessMetricsTests {
    @Test func statusIsReadPastANameWithSpacesAndParentheses() throws {
        let stat = """
            4711 (media (worker) 1) S 1 4711 4711 0 -1 4194560 2000 0 0 0 250 150 0 0 20 0 9 0 500 123456789 2048 184467 1 1 0
            """
        let status = try #require(
            ProcessStatus(stat: stat, bootTime: 1_700_000_000, ticksPerSecond: 100, pageSize: 4096))
        #expect(status.cpuSeconds == 4)
        #expect(status.threads == 9)
        #expect(status.virtualBytes == 123_456_789)
        #expect(status.residentBytes == 2048 * 4096)
        #expect(status.startTime == 1_700_000_005)
    }

    @Test func anUnexpectedStatusIsNoStatus() {
        #expect(ProcessStatus(stat: "1 (x) S 1 2", bootTime: 0, ticksPerSecond: 100, pageSize: 4096) == nil)
        #expect(ProcessStatus(stat: "", bootTime: 0, ticksPerSecond: 100, pageSize: 4096) == nil)
    }

    @Test func thisProcessReportsItself() throws {
        let registry = MetricsRegistry()
        ProcessMetrics.register(in: registry, service: "tests", version: "1.2.3")
        let read = try ExpositionParser(registry.exposition())
        #expect(read.value("parley_build_info", ["service": "tests", "version": "1.2.3"]) == 1)
        for name in [
            "process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes",
            "process_threads",
            "process_open_fds", "process_max_fds", "process_start_time_seconds",
        ] {
            #expect(try #require(read.value(name)) > 0, "\(name)")
        }
    }
}
