import Synchronization

/// A clock that stands still until a test advances it.
///
/// Whoever sleeps on it is woken by `advance(by:)`, in order of the instants slept for. A test first waits with
/// `waitForSleepers(_:)` until the code under test sleeps, then advances.
package final class ManualClock: MonotonicClock {
    package typealias Instant = ContinuousClock.Instant

    private struct Sleeper {
        let id: UInt64
        let deadline: Instant
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct Watcher {
        let id: UInt64
        let count: Int
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var now: Instant
        var nextID: UInt64 = 0
        var sleepers: [Sleeper] = []
        var watchers: [Watcher] = []

        mutating func makeID() -> UInt64 {
            nextID += 1
            return nextID
        }
    }

    private let state: Mutex<State>
    /// The instant at which the clock was made.
    package let start: Instant

    /// A clock standing at an arbitrary instant.
    package init() {
        start = ContinuousClock().now
        state = Mutex(State(now: start))
    }

    package var now: Instant { state.withLock { $0.now } }

    /// The time advanced so far.
    package var elapsed: Duration { now - start }

    package var minimumResolution: Duration { .nanoseconds(1) }

    /// The number of tasks asleep on this clock.
    package var sleepers: Int { state.withLock { $0.sleepers.count } }

    /// Moves time forward and wakes those whose instant has come, earliest first.
    package func advance(by duration: Duration) {
        let due = state.withLock { state -> [Sleeper] in
            state.now += duration
            let now = state.now
            let due = state.sleepers.filter { $0.deadline <= now }
            state.sleepers.removeAll { $0.deadline <= now }
            return due.sorted { ($0.deadline, $0.id) < ($1.deadline, $1.id) }
        }
        for sleeper in due { sleeper.continuation.resume() }
    }

    /// Moves time forward to the earliest instant that somebody sleeps for. Returns false when nobody sleeps.
    @discardableResult
    package func advanceToNextSleeper() -> Bool {
        let next = state.withLock { state in state.sleepers.map(\.deadline).min().map { $0 - state.now } }
        guard let next else { return false }
        advance(by: next)
        return true
    }

    package func sleep(until deadline: Instant, tolerance: Duration?) async throws {
        let id = state.withLock { $0.makeID() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                add(Sleeper(id: id, deadline: deadline, continuation: continuation))
            }
        } onCancel: {
            let sleeper = state.withLock { state in
                state.sleepers.firstIndex { $0.id == id }.map { state.sleepers.remove(at: $0) }
            }
            sleeper?.continuation.resume(throwing: CancellationError())
        }
    }

    /// Waits until at least `count` tasks are asleep on this clock.
    package func waitForSleepers(_ count: Int = 1) async throws {
        let id = state.withLock { $0.makeID() }
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                add(Watcher(id: id, count: count, continuation: continuation))
            }
        } onCancel: {
            let watcher = state.withLock { state in
                state.watchers.firstIndex { $0.id == id }.map { state.watchers.remove(at: $0) }
            }
            watcher?.continuation.resume(throwing: CancellationError())
        }
    }

    private func add(_ sleeper: Sleeper) {
        // Cancelled before the continuation existed: the handler found nothing to resume.
        if Task.isCancelled { return sleeper.continuation.resume(throwing: CancellationError()) }
        let (isDue, satisfied) = state.withLock { state -> (Bool, [Watcher]) in
            if sleeper.deadline <= state.now { return (true, []) }
            state.sleepers.append(sleeper)
            let count = state.sleepers.count
            let satisfied = state.watchers.filter { $0.count <= count }
            state.watchers.removeAll { $0.count <= count }
            return (false, satisfied)
        }
        if isDue { sleeper.continuation.resume() }
        for watcher in satisfied { watcher.continuation.resume() }
    }

    private func add(_ watcher: Watcher) {
        if Task.isCancelled { return watcher.continuation.resume(throwing: CancellationError()) }
        let isSatisfied = state.withLock { state -> Bool in
            if state.sleepers.count >= watcher.count { return true }
            state.watchers.append(watcher)
            return false
        }
        if isSatisfied { watcher.continuation.resume() }
    }
}
