package import Audio
import SwiftProtobuf
import Synchronization

/// A journal that keeps its events in memory, for tests and for the simulators.
///
/// By default every event is stored at once. With `holdsBack` nothing is stored until `store()` is called, so that a test decides when.
package final class MemoryJournal: SessionJournal {
    private struct State {
        var events: [Event] = []
        var storedThrough: UInt64
        var isClosed = false
        var isLost = false
        var waiting: [(sequence: UInt64, callback: @Sendable (StorageOutcome) -> Void)] = []
    }

    private let fence: UInt64
    private let firstSequence: UInt64
    private let holdsBack: Bool
    private let state: Mutex<State>

    /// - Parameter firstSequence: sequence of the first event, `SessionState.nextSequence` of what was folded before.
    package init(fence: UInt64 = 1, firstSequence: UInt64 = 1, holdsBack: Bool = false) {
        self.fence = fence
        self.firstSequence = firstSequence
        self.holdsBack = holdsBack
        state = Mutex(State(storedThrough: firstSequence - 1))
    }

    /// Everything appended so far, in order.
    package var events: [Event] { state.withLock { $0.events } }
    /// The bodies of everything appended so far, in order.
    package var bodies: [Event.OneOf_Body] { events.compactMap(\.body) }
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    @discardableResult
    package func append(_ body: Event.OneOf_Body, position: SessionTime, leg: UInt32) -> Event {
        state.withLock { state in
            let event = Event.with {
                $0.fence = fence
                $0.sequence = firstSequence + UInt64(state.events.count)
                $0.version = Event.currentVersion
                $0.position = position.samples
                $0.leg = leg
                $0.body = body
            }
            state.events.append(event)
            if !holdsBack { state.storedThrough = event.sequence }
            return event
        }
    }

    package func whenSettled(_ sequence: UInt64, _ callback: @escaping @Sendable (StorageOutcome) -> Void) {
        let outcome: StorageOutcome? = state.withLock { state in
            if sequence <= state.storedThrough { return .stored }
            if state.isLost { return .lost }
            state.waiting.append((sequence, callback))
            return nil
        }
        if let outcome { callback(outcome) }
    }

    package func close() {
        state.withLock { $0.isClosed = true }
    }

    package func abandon() { lose() }

    /// Stores what was appended, through `sequence` or all of it, and calls back whoever waits for it.
    package func store(through sequence: UInt64 = .max) {
        let due = state.withLock { state in
            state.storedThrough = max(state.storedThrough, min(sequence, state.events.last?.sequence ?? 0))
            let due = state.waiting.filter { $0.sequence <= state.storedThrough }
            state.waiting.removeAll { $0.sequence <= state.storedThrough }
            return due
        }
        for entry in due { entry.callback(.stored) }
    }

    /// Tells whoever waits that the session has another owner.
    package func lose() {
        let due = state.withLock { state in
            state.isLost = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for entry in due { entry.callback(.lost) }
    }
}
