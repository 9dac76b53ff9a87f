import Synchronization

/// Tells long calls that the store stops, so that their peers go to another replica.
final class StopSignal: Sendable {
    private struct State {
        var isStopping = false
        var waiting: [UInt64: AsyncStream<Void>.Continuation] = [:]
        var last: UInt64 = 0
    }

    private let state = Mutex(State())

    func send() {
        let waiting = state.withLock { state in
            state.isStopping = true
            defer { state.waiting = [:] }
            return state.waiting.values.map { $0 }
        }
        for continuation in waiting { continuation.finish() }
    }

    /// Throws `stopping` once the store stops, and returns when the task is cancelled.
    func wait() async throws {
        let (signals, continuation) = AsyncStream.makeStream(of: Void.self)
        let number: UInt64? = state.withLock { state in
            guard !state.isStopping else { return nil }
            state.last += 1
            state.waiting[state.last] = continuation
            return state.last
        }
        guard let number else { throw StoreFailure.stopping }
        for await _ in signals {}
        state.withLock { _ = $0.waiting.removeValue(forKey: number) }
        if !Task.isCancelled { throw StoreFailure.stopping }
    }
}
