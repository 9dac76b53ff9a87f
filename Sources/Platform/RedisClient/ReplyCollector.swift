import NIOCore

/// Gathers the replies to commands that were sent together. Lives on the event loop of the client that made it.
final class ReplyCollector: Sendable {
    private struct State {
        var replies: [RESPValue]
        var remaining: Int
        var failure: RedisError?
    }

    private let state: NIOLoopBoundBox<State>
    private let completion: @Sendable (Result<[RESPValue], RedisError>) -> Void

    init(count: Int, loop: any EventLoop, _ completion: @escaping @Sendable (Result<[RESPValue], RedisError>) -> Void) {
        state = NIOLoopBoundBox(
            State(replies: Array(repeating: .null, count: count), remaining: count), eventLoop: loop)
        self.completion = completion
    }

    /// Once every command has its reply or its error the completion is called: with all replies, or with the first error.
    func take(_ result: Result<RESPValue, RedisError>, at index: Int) {
        switch result {
        case .success(let value): state.value.replies[index] = value
        case .failure(let error): state.value.failure = state.value.failure ?? error
        }
        state.value.remaining -= 1
        guard state.value.remaining == 0 else { return }
        completion(state.value.failure.map(Result.failure) ?? .success(state.value.replies))
    }
}
