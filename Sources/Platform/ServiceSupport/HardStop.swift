import Dispatch
import Synchronization

/// Ends the process when its orderly end does not.
///
/// It waits on a thread, not in a task: what keeps the process from ending may be what runs tasks.
final class HardStop: Sendable {
    private let isDisarmed = Atomic(false)
    private let stop: @Sendable () -> Void

    /// - Parameter stop: ends the process.
    init(stop: @escaping @Sendable () -> Void) {
        self.stop = stop
    }

    /// Stops the process after `limit` unless it is disarmed before.
    func arm(after limit: Duration) {
        let (seconds, attoseconds) = limit.components
        let milliseconds = Int(clamping: seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000)
        DispatchQueue.global().asyncAfter(deadline: .now() + .milliseconds(milliseconds)) { self.fire() }
    }

    /// The process ends in order.
    func disarm() {
        isDisarmed.store(true, ordering: .relaxed)
    }

    private func fire() {
        if !isDisarmed.load(ordering: .relaxed) { stop() }
    }
}
