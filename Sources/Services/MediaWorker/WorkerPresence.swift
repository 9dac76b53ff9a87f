package import Logging
package import Placement
import Resilience
import ServiceLifecycle

/// Tells Redis that the worker is there: once a second, and at once when its load changes.
package struct WorkerPresence: Service {
    private let announcer: WorkerAnnouncer
    private let logger: Logger
    private let changes: AsyncStream<Void>
    private let beat: @Sendable () -> WorkerBeat
    private let id: String

    /// `changes` yields when the load has changed; bursts may be merged.
    package init(
        id: String, announcer: WorkerAnnouncer, changes: AsyncStream<Void>, logger: Logger, beat: @escaping @Sendable () -> WorkerBeat
    ) {
        self.id = id
        self.announcer = announcer
        self.changes = changes
        self.logger = logger
        self.beat = beat
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled {
                        await send()
                        try? await Task.sleep(for: .seconds(1))
                    }
                }
                group.addTask {
                    for await _ in changes { await send() }
                }
                await group.next()
                group.cancelAll()
            }
        }
        do { try await announcer.leave(id) } catch { logger.warning("cannot take leave of Redis", metadata: ["error": "\(error)"]) }
    }

    private func send() async {
        do { try await announcer.send(beat) } catch {
            logger.warning("cannot tell Redis that this worker is here", metadata: ["error": "\(error)"])
        }
    }
}
