/// The room that all workers together have for sessions, in weights of sessions.
package struct DispatchCapacity: Sendable, Hashable {
    /// What new sessions may take.
    package var free: Double
    /// What there would be if no session were running.
    package var total: Double

    package init(free: Double, total: Double) {
        self.free = free
        self.total = total
    }
}
