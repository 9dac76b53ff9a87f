import Synchronization

extension RedisClient {
    /// Sends a command and waits for its reply.
    ///
    /// A cancelled task stops waiting; the command may still run.
    ///
    /// - Throws: `RedisError`, `server` when Redis refuses the command; `CancellationError`.
    package nonisolated func send(_ command: RedisCommand) async throws -> RESPValue {
        try await wait { self.submit(command, $0) }.value()
    }

    /// Sends several commands at once and waits for all replies. Refusals by Redis are values among them.
    package nonisolated func pipeline(_ commands: [RedisCommand]) async throws -> [RESPValue] {
        try await wait { self.submit(commands, $0) }
    }

    private nonisolated func wait<Value: Sendable>(
        _ start: (@escaping @Sendable (Result<Value, RedisError>) -> Void) -> Void
    ) async throws -> Value {
        let waiter = OneShot<Value>()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                waiter.wait(continuation)
                start { result in waiter.resume(result.mapError { $0 }) }
            }
        } onCancel: {
            waiter.resume(.failure(CancellationError()))
        }
    }
}

/// A continuation that is resumed once, by whoever comes first.
private final class OneShot<Value: Sendable>: Sendable {
    private enum State {
        case new
        case waiting(CheckedContinuation<Value, any Error>)
        case cancelledEarly
        case done
    }

    private let state = Mutex(State.new)

    func wait(_ continuation: CheckedContinuation<Value, any Error>) {
        let isCancelled = state.withLock { state in
            if case .cancelledEarly = state { return true }
            state = .waiting(continuation)
            return false
        }
        if isCancelled { continuation.resume(throwing: CancellationError()) }
    }

    func resume(_ result: Result<Value, any Error>) {
        let waiting: CheckedContinuation<Value, any Error>? = state.withLock { state in
            switch state {
            case .new:
                state = .cancelledEarly
                return nil
            case .waiting(let continuation):
                state = .done
                return continuation
            case .cancelledEarly, .done:
                return nil
            }
        }
        waiting?.resume(with: result)
    }
}
