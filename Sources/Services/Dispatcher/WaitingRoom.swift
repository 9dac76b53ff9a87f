package import Placement
package import Resilience
import Synchronization

/// Where callers wait for a worker while all are full: few, not for long, first come, first served. One per dispatcher.
///
/// Who needs special workers waits in a line of its own, so that nobody waits for room that is not for them. Only the first of a line asks
/// for room: the load of a full cluster does not grow with those who wait.
package final class WaitingRoom: Sendable {
    package struct Settings: Sendable, Hashable {
        /// Callers that wait; one more is refused. 0: nobody waits.
        package var places: Int
        /// After this time a caller is refused.
        package var patience: Duration

        package init(places: Int = 100, patience: Duration = .seconds(20)) {
            self.places = places
            self.patience = patience
        }
    }

    private static let interval = Duration.milliseconds(200)

    private struct Visitor {
        let id: UInt64
        let told: @Sendable (Int) -> Void
    }

    private struct State {
        var lines: [Set<String>: (gate: Bulkhead, visitors: [Visitor])] = [:]
        var waiting = 0
        var lastID: UInt64 = 0
    }

    private let settings: Settings
    private let clock: any MonotonicClock
    private let state = Mutex(State())

    package init(_ settings: Settings = Settings(), clock: any MonotonicClock = ContinuousClock()) {
        self.settings = settings
        self.clock = clock
    }

    /// Callers that wait now.
    package var count: Int { state.withLock { $0.waiting } }

    /// Finds a place, at once or after waiting for it. `waiting` is told the position in the line, from 1, when the wait begins and whenever
    /// it changes; from any thread.
    ///
    /// - Throws: `full` when too many wait already, or the wait was in vain; what `workers` throws otherwise.
    package func place(
        _ request: PlacementRequest, by workers: any WorkerPlacing, waiting: @escaping @Sendable (Int) -> Void
    ) async throws -> WorkerPlace {
        if !hasLine(request.labels) {
            do { return try await workers.place(request) } catch let error as AdmissionError where error.code == .full {
            }
        }
        let deadline = clock.now + settings.patience
        let (id, gate) = try join(request.labels, waiting)
        defer { leave(request.labels, id) }
        do {
            return try await gate.run { try await ask(request, workers, until: deadline) }
        } catch let error as ResilienceError where error.code == .overloaded {
            throw tooLong
        }
    }

    private func ask(_ request: PlacementRequest, _ workers: any WorkerPlacing, until deadline: ContinuousClock.Instant)
        async throws -> WorkerPlace
    {
        while true {
            do { return try await workers.place(request) } catch let error as AdmissionError where error.code == .full {
            }
            guard clock.now + Self.interval < deadline else { throw tooLong }
            try await clock.sleep(for: Self.interval)
        }
    }

    private var tooLong: AdmissionError {
        AdmissionError(
            .full, "all media workers are full, and none had room within \(settings.patience.components.seconds) s")
    }

    // MARK: Lines

    private func hasLine(_ labels: Set<String>) -> Bool { state.withLock { $0.lines[labels] != nil } }

    private func join(_ labels: Set<String>, _ told: @escaping @Sendable (Int) -> Void) throws -> (UInt64, Bulkhead) {
        let (id, gate, position) = try state.withLock { state in
            guard state.waiting < settings.places else {
                throw AdmissionError(
                    .full, "all media workers are full and \(state.waiting) callers wait already; try again later")
            }
            var line = state.lines[labels] ?? (makeGate(), [])
            state.lastID += 1
            state.waiting += 1
            line.visitors.append(Visitor(id: state.lastID, told: told))
            state.lines[labels] = line
            return (state.lastID, line.gate, line.visitors.count)
        }
        told(position)
        return (id, gate)
    }

    private func makeGate() -> Bulkhead {
        Bulkhead(
            "waiting room", limit: 1, maximumWaiting: settings.places, maximumWait: settings.patience, clock: clock)
    }

    private func leave(_ labels: Set<String>, _ id: UInt64) {
        let moved = state.withLock { state -> [(Visitor, Int)] in
            guard var line = state.lines[labels], let index = line.visitors.firstIndex(where: { $0.id == id }) else {
                return []
            }
            line.visitors.remove(at: index)
            state.waiting -= 1
            state.lines[labels] = line.visitors.isEmpty ? nil : line
            return line.visitors.enumerated().dropFirst(index).map { ($1, $0 + 1) }
        }
        for (visitor, position) in moved { visitor.told(position) }
    }
}
