import Logging
import ServiceLifecycle

/// The first service to learn of a shutdown: it makes the process not ready and sees to it that the shutdown ends.
struct ShutdownGuard: Service, CustomStringConvertible {
    let request: ShutdownRequest
    let health: Health
    let logger: Logger
    let grace: Duration
    /// For a process that still runs long after its grace period.
    let hardStop: HardStop

    /// What services get, after their grace period and being cancelled, before the process ends without them.
    static let cancellationLimit = Duration.seconds(5)

    var description: String { "shutdown guard" }

    func run() async throws {
        let reason = await withGracefulShutdownHandler {
            for await reason in request.requests { return reason }
            return Task.isCancelled ? "cancelled" : "asked to stop by a signal"
        } onGracefulShutdown: {
            request.finish()
        }
        health.beginShutdown("shutting down: \(reason)")
        logger.notice("shutting down", metadata: ["reason": "\(reason)", "grace": "\(DurationText.format(grace))"])
        hardStop.arm(after: grace + Self.cancellationLimit)
    }
}
