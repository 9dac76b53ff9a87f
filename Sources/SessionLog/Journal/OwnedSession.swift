package import Audio
import Foundation
import NIOCore
import SwiftProtobuf
import Synchronization

/// The journal of a session that this worker owns; its events go out on the worker's stream to the store.
///
/// `append` may be called from any thread, but the order of calls is the order of the log, so that it is one loop that calls. Callbacks come
/// on `eventLoop`.
package final class OwnedSession: SessionJournal {
    /// What the session's owner must know.
    package enum Notice: Sendable, Equatable {
        /// The session has another owner or has ended: stop at once, write nothing. The reason is for the log.
        case lost(reason: String)
        /// Somebody wants something of the session. May come twice: `SessionState.commands` knows those that were carried out.
        case command(id: String, kind: String, payload: String)
    }

    private struct State {
        var outbox: SessionOutbox
        var waiting: [(sequence: UInt64, callback: @Sendable (StorageOutcome) -> Void)] = []
        var serialisationFailures = 0
    }

    package let tenant: String
    package let session: String
    package let fence: UInt64
    /// What is taken out of its events before they are stored.
    let redaction: String
    private let eventLoop: any EventLoop
    private let notify: @Sendable (Notice) -> Void
    private let wake: @Sendable (OwnedSession, _ later: Bool) -> Void
    private let state: Mutex<State>

    init(
        tenant: String, session: String, redaction: String, outbox: SessionOutbox, eventLoop: any EventLoop,
        notify: @escaping @Sendable (Notice) -> Void, wake: @escaping @Sendable (OwnedSession, _ later: Bool) -> Void
    ) {
        self.tenant = tenant
        self.session = session
        self.redaction = redaction
        fence = outbox.fence
        self.eventLoop = eventLoop
        self.notify = notify
        self.wake = wake
        state = Mutex(State(outbox: outbox))
    }

    /// Events that are not stored yet.
    package var waitingEvents: Int { state.withLock { $0.outbox.waiting } }
    /// It was lost, or everything is stored and it was closed.
    package var isOver: Bool { state.withLock { $0.outbox.isOver } }
    /// It is over, and what it kept in case that Redis loses it is not needed any more.
    var isReleased: Bool { state.withLock { $0.outbox.isReleased } }
    /// The sequence behind the last event that the store has acknowledged.
    var storedNext: UInt64 { state.withLock { $0.outbox.storedNext } }

    @discardableResult
    package func append(_ body: Event.OneOf_Body, position: SessionTime, leg: UInt32) -> Event {
        let now = Self.now
        let (event, effects) = state.withLock { state in
            let event = Event.with {
                $0.fence = fence
                $0.sequence = state.outbox.nextSequence
                $0.version = Event.currentVersion
                $0.wallClockMs = Int64(Date().timeIntervalSince1970 * 1000)
                $0.position = position.samples
                $0.leg = leg
                $0.body = body
            }
            // Serialising a message of strings and numbers cannot fail; if it did, the empty entry keeps the numbers in step.
            let bytes = (try? event.stored()) ?? Data()
            return (event, state.outbox.append(bytes, isTelemetry: event.isTelemetry, now: now))
        }
        perform(effects)
        return event
    }

    package func whenSettled(_ sequence: UInt64, _ callback: @escaping @Sendable (StorageOutcome) -> Void) {
        let outcome: StorageOutcome? = state.withLock { state in
            if let outcome = state.outbox.outcome(of: sequence) { return outcome }
            state.waiting.append((sequence, callback))
            return nil
        }
        if let outcome { return eventLoop.execute { callback(outcome) } }
        // It may be telemetry, which is not sent by itself.
        wake(self, false)
    }

    package func close() {
        perform(state.withLock { $0.outbox.close() })
    }

    package func abandon() {
        state.withLock { $0.outbox.abandon() }
        settle()
        wake(self, false)
    }

    // MARK: For the stream

    func takeUnsent() -> SessionOutbox.Message? { state.withLock { $0.outbox.takeUnsent() } }
    func streamBroke() { state.withLock { $0.outbox.streamBroke() } }
    func confirmed(at time: Int64) { perform(state.withLock { $0.outbox.confirmed(at: time) }) }
    func answered(_ answer: StoreAppended) { perform(state.withLock { $0.outbox.answered(answer, now: Self.now) }) }
    func told(_ reason: String) { perform(state.withLock { $0.outbox.told(reason) }) }

    func deliver(_ command: StoreDeliveredCommand) {
        let notify = notify
        eventLoop.execute { notify(.command(id: command.command, kind: command.kind, payload: command.payload)) }
    }

    /// Monotonic milliseconds.
    static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds / 1_000_000) }

    private func perform(_ effects: [SessionOutbox.Effect]) {
        for effect in effects {
            switch effect {
            case .send: wake(self, false)
            case .sendLater: wake(self, true)
            case .settled: settle()
            case .finished: break
            case .released: wake(self, false)
            case .lost(let reason):
                settle()
                let notify = notify
                eventLoop.execute { notify(.lost(reason: reason.text)) }
            }
        }
    }

    private func settle() {
        let due = state.withLock { state in
            var due: [(StorageOutcome, @Sendable (StorageOutcome) -> Void)] = []
            state.waiting.removeAll { entry in
                guard let outcome = state.outbox.outcome(of: entry.sequence) else { return false }
                due.append((outcome, entry.callback))
                return true
            }
            return due
        }
        guard !due.isEmpty else { return }
        eventLoop.execute { for (outcome, callback) in due { callback(outcome) } }
    }
}

extension SessionOutbox.LossReason {
    var text: String {
        switch self {
        case .fenced: "another owner has the session"
        case .gone: "the session does not exist any more"
        case .overflow: "too much waits for the session store"
        case .told(let reason): reason
        }
    }
}
