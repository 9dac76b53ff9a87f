import NIOCore
import RedisClient
import SessionLog

/// Waits until a replica has what was written, for whoever asks; those who ask while one wait is under way share the next.
///
/// Lives on the Redis client's event loop.
actor ReplicaBarrier {
    typealias Completion = @Sendable (_ isReplicated: Bool) -> Void

    nonisolated let eventLoop: any EventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }
    // Its own connection: WAIT holds up everything behind it.
    private let redis: RedisClient
    private let patience: Duration
    private var waiting: [Completion] = []
    private var isBusy = false

    init(redis: RedisClient, patience: Duration) {
        self.redis = redis
        eventLoop = redis.eventLoop
        self.patience = patience
    }

    /// Calls back on the event loop. After the patience it goes on without: a replica that lags must not stop conversations.
    func wait(_ completion: @escaping Completion) {
        waiting.append(completion)
        go()
    }

    private func go() {
        guard !isBusy, !waiting.isEmpty else { return }
        isBusy = true
        let due = waiting
        waiting = []
        redis.waitForReplicas(1, timeout: patience) { [weak self] result in
            let isReplicated = (try? result.get()).map { $0 >= 1 } ?? false
            for completion in due { completion(isReplicated) }
            self?.assumeIsolated { barrier in
                barrier.isBusy = false
                barrier.go()
            }
        }
    }
}
