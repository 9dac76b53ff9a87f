package import Logging
import NIOCore
import Synchronization
package import Telemetry

/// What all callers of one dispatcher share.
package final class DispatcherCore: Sendable {
    let admission: Admission
    let logger: Logger
    let metrics: DispatcherMetrics
    let connections = CallerConnections()
    private let draining = Mutex(false)

    package init(admission: Admission, logger: Logger, registry: MetricsRegistry) {
        self.admission = admission
        self.logger = logger
        self.metrics = DispatcherMetrics(registry: registry)
    }

    package var isDraining: Bool { draining.withLock { $0 } }
    package var liveCallers: Int { connections.count }

    /// New callers are refused from now on; live ones go on.
    package func drain() { draining.withLock { $0 = true } }
    /// Closes every caller's connection with 1012.
    package func shutDown() { connections.shutDown() }
}

/// The callers that are connected now.
final class CallerConnections: Sendable {
    private struct Entry: Sendable {
        let connection: NIOLoopBound<CallerConnection>
        let eventLoop: any EventLoop
    }
    private let entries = Mutex<[ObjectIdentifier: Entry]>([:])

    var count: Int { entries.withLock { $0.count } }

    func add(_ connection: CallerConnection, on eventLoop: any EventLoop) {
        let entry = Entry(connection: NIOLoopBound(connection, eventLoop: eventLoop), eventLoop: eventLoop)
        entries.withLock { $0[ObjectIdentifier(connection)] = entry }
    }

    func remove(_ connection: CallerConnection) {
        entries.withLock { $0[ObjectIdentifier(connection)] = nil }
    }

    func shutDown() {
        for entry in entries.withLock({ Array($0.values) }) {
            entry.eventLoop.execute { entry.connection.value.shutDown() }
        }
    }
}

/// What a dispatcher counts.
struct DispatcherMetrics: Sendable {
    let callers: Counter
    let callersGone: Counter
    let workersLost: Counter
    let throttles: Counter
    private let refusals: [AdmissionError.Code: Counter]

    init(registry: MetricsRegistry) {
        callers = registry.counter("parley_dispatcher_callers_total", help: "WebSocket callers that connected.")
        callersGone = registry.counter("parley_dispatcher_callers_gone_total", help: "WebSocket callers that are gone again.")
        workersLost = registry.counter("parley_dispatcher_workers_lost_total", help: "Relay links that broke during a call.")
        throttles = registry.counter("parley_dispatcher_throttles_total", help: "Changes of back pressure from callers.")
        var refusals: [AdmissionError.Code: Counter] = [:]
        for code in AdmissionError.Code.allCases {
            refusals[code] = registry.counter(
                "parley_dispatcher_refusals_total", help: "Callers that were refused or cut off.", labels: ["code": code.rawValue])
        }
        self.refusals = refusals
    }

    func refused(_ code: AdmissionError.Code) { refusals[code]?.increment() }
}
