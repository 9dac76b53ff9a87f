/// Lets any part of a process ask for its graceful end.
package struct ShutdownRequest: Sendable {
    let requests: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    init() {
        // One request is enough; the first reason is the one that is logged.
        (requests, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1))
    }

    /// Begins the graceful end of the process as SIGTERM would. Later requests change nothing.
    package func request(reason: String) {
        continuation.yield(reason)
    }

    func finish() {
        continuation.finish()
    }
}
