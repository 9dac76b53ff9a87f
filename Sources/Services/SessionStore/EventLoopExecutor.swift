import NIOCore

/// Runs tasks on an event loop.
///
/// A store does little with each of very many messages. Between threads, every one of them would cost several wake-ups, which cost more than what it
/// does; so the connections, Redis, the batches and the tasks of the calls share one thread, and more stores share the load.
final class EventLoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
