/// The room that all workers together have for sessions, in weights of sessions.
package struct DispatchCapacity: Sendable, Hashable {
    /// What new sessions may take.
    package var free: Double
    /// What there would be if no session were running.
    package var total: Double
    /// When it began to be measured: it may not show sessions that were started since. Nil: when it is handed over.
    package var measured: ContinuousClock.Instant?

    package init(free: Double, total: Double, measured: ContinuousClock.Instant? = nil) {
        self.free = free
        self.total = total
        self.measured = measured
    }
}
