import NIOPosix
import Synchronization

/// The threads on which local recognisers and synthesisers run: bounded, so that they never take the loops' cores.
package struct LocalSpeechPool: Sendable {
    let threads: NIOThreadPool

    /// A pool of `threads` threads, started at once.
    package init(threads count: Int) {
        threads = NIOThreadPool(numberOfThreads: max(1, count))
        threads.start()
    }
}

/// Runs work in order on a pool, one piece at a time, however many threads the pool has.
final class SerialWork: Sendable {
    private struct State {
        var queue: [@Sendable () -> Void] = []
        var isRunning = false
    }

    private let pool: LocalSpeechPool
    private let state = Mutex(State())

    init(on pool: LocalSpeechPool) { self.pool = pool }

    /// Number of pieces that wait.
    var waiting: Int { state.withLock { $0.queue.count } }

    func submit(_ work: @escaping @Sendable () -> Void) {
        let start = state.withLock { state in
            state.queue.append(work)
            defer { state.isRunning = true }
            return !state.isRunning
        }
        if start { pool.threads.submit { _ in self.drain() } }
    }

    private func drain() {
        while let work = next() { work() }
    }

    private func next() -> (@Sendable () -> Void)? {
        state.withLock { state in
            guard !state.queue.isEmpty else {
                state.isRunning = false
                return nil
            }
            return state.queue.removeFirst()
        }
    }
}
