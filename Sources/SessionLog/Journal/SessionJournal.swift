package import Audio

/// The log as the owner of a session writes it.
///
/// Everything is called on the session's event loop, returns at once and never waits: what happens to an event is told later, on the same
/// loop. Order of calls is order in the log.
package protocol SessionJournal: AnyObject, Sendable {
    /// Adds an event. It is on its way to the store when this returns, not stored yet.
    ///
    /// Returns the event with its fence and sequence, for `SessionState.apply(_:)`.
    @discardableResult
    func append(_ body: Event.OneOf_Body, position: SessionTime, leg: UInt32) -> Event

    /// Calls back once when it is known what became of the event with this sequence: at once when that is known already.
    ///
    /// While the store cannot be reached nobody is called: whoever cannot wait sets a timer of its own.
    func whenSettled(_ sequence: UInt64, _ callback: @escaping @Sendable (StorageOutcome) -> Void)

    /// Nothing more will be appended. What was appended, `closed` as the last, still goes out; then the session is given back.
    func close()

    /// The session goes on elsewhere: nothing more is appended, its lease is not renewed, and what is not stored yet is given up.
    func abandon()
}

/// What became of an event.
package enum StorageOutcome: Hashable, Sendable {
    /// It is in the log (and on a replica of Redis, where there is one and `Event.needsReplica` asks for it).
    case stored
    /// It was dropped for lack of room; happens to telemetry only.
    case dropped
    /// The session has another owner or has ended: the event will never be in the log.
    case lost
}

extension SessionJournal {
    /// Calls back once when the event with this sequence is in the log, and never when that cannot happen any more.
    package func whenStored(_ sequence: UInt64, _ callback: @escaping @Sendable () -> Void) {
        whenSettled(sequence) { outcome in
            if outcome == .stored { callback() }
        }
    }
}
