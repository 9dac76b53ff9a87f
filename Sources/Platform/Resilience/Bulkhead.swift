import Synchronization

/// Bounds how many operations run at once and how many may wait for their turn, first come, first served.
package final class Bulkhead: Sendable {
    private enum Outcome {
        case granted, expired, cancelled
    }

    private struct Waiter {
        let id: UInt64
        let continuation: CheckedContinuation<Outcome, Never>
    }

    private struct State {
        var running = 0
        var nextID: UInt64 = 0
        var waiting: [Waiter] = []
        // Settled before they began to wait: their deadline or their cancellation was quicker.
        var settledEarly: [UInt64: Outcome] = [:]
    }

    /// What is bounded, for errors.
    package let subject: String
    /// Operations that may run at once.
    package let limit: Int
    /// Operations that may wait; one more is refused.
    package let maximumWaiting: Int
    private let maximumWait: Duration
    private let clock: any MonotonicClock
    private let state = Mutex(State())

    /// - Parameter maximumWait: an operation that has not begun after this time is refused.
    package init(
        _ subject: String, limit: Int, maximumWaiting: Int, maximumWait: Duration,
        clock: any MonotonicClock = ContinuousClock()
    ) {
        self.subject = subject
        self.limit = max(1, limit)
        self.maximumWaiting = max(0, maximumWaiting)
        self.maximumWait = maximumWait
        self.clock = clock
    }

    /// Operations running now.
    package var running: Int { state.withLock { $0.running } }

    /// Operations waiting now.
    package var waiting: Int { state.withLock { $0.waiting.count } }

    /// Runs `operation` when there is room.
    ///
    /// Throws `ResilienceError` with code `overloaded` when too many wait already or the wait takes too long, and
    /// `CancellationError` when cancelled while waiting; the operation has not begun then.
    package func run<Result>(_ operation: () async throws -> Result) async throws -> Result {
        if try mustWait() { try await wait() }
        defer { release() }
        return try await operation()
    }

    private func mustWait() throws -> Bool {
        try state.withLock { state in
            if state.running < limit, state.waiting.isEmpty {
                state.running += 1
                return false
            }
            guard state.waiting.count < maximumWaiting else {
                throw overloaded("\(limit) running and \(maximumWaiting) waiting")
            }
            return true
        }
    }

    private func wait() async throws {
        let id = state.withLock { state -> UInt64 in
            state.nextID += 1
            return state.nextID
        }
        let outcome = await withThrowingTaskGroup(of: Void.self) { group in
            // Only the lock decides between a turn and the end of the wait, so that no turn is lost between the two.
            group.addTask { [clock, maximumWait] in
                try await clock.sleep(for: maximumWait)
                self.settle(id, .expired)
            }
            let outcome = await withTaskCancellationHandler {
                await withCheckedContinuation { self.enqueue(Waiter(id: id, continuation: $0)) }
            } onCancel: {
                self.settle(id, .cancelled)
            }
            group.cancelAll()
            return outcome
        }
        state.withLock { _ = $0.settledEarly.removeValue(forKey: id) }
        switch outcome {
        case .granted: return
        case .expired: throw overloaded("no turn within \(maximumWait)")
        case .cancelled: throw CancellationError()
        }
    }

    private func enqueue(_ waiter: Waiter) {
        let outcome = state.withLock { state -> Outcome? in
            if let early = state.settledEarly[waiter.id] { return early }
            if state.running < limit, state.waiting.isEmpty {
                state.running += 1
                return .granted
            }
            guard state.waiting.count < maximumWaiting else { return .expired }
            state.waiting.append(waiter)
            return nil
        }
        if let outcome { waiter.continuation.resume(returning: outcome) }
    }

    private func settle(_ id: UInt64, _ outcome: Outcome) {
        let waiter = state.withLock { state -> Waiter? in
            guard let index = state.waiting.firstIndex(where: { $0.id == id }) else {
                state.settledEarly[id] = outcome
                return nil
            }
            return state.waiting.remove(at: index)
        }
        waiter?.continuation.resume(returning: outcome)
    }

    private func release() {
        let next = state.withLock { state -> Waiter? in
            guard !state.waiting.isEmpty else {
                state.running -= 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.continuation.resume(returning: .granted)
    }

    private func overloaded(_ message: String) -> ResilienceError {
        ResilienceError(.overloaded, subject: subject, message: message)
    }
}
