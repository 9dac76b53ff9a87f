import Foundation
import SessionLog
import SwiftProtobuf

/// What an append becomes before it reaches Redis: its events read, checked, redacted. No I/O.
struct EventIntake {
    struct Prepared {
        struct Entry: Equatable {
            let fence: UInt64
            /// Empty: the sequence is used, nothing is stored.
            let bytes: Data
        }

        /// What a header is made of when a log begins; see `StoreScripts.restore`.
        struct Opening: Equatable {
            let agent: String
            let backend: String
        }

        let tenant: String
        let session: KnownSession
        let fence: UInt64
        let firstSequence: UInt64
        /// The append begins with the log's first event: a session that Redis has lost can be restored from it.
        var opening: Opening?
        var entries: [Entry] = []
        /// The highest version that reading the events takes.
        var version: UInt32 = 1
        var closes = false
        var needsReplica = false
        /// Telemetry was left out for lack of memory.
        var refusesTelemetry = false
        /// The event that cannot be stored, and with it everything behind it.
        var malformed: UInt64?
    }

    let settings: StoreSettings
    private static let redactions = RedactionRegistry()
    private let known = KnownSessions()

    init(settings: StoreSettings) { self.settings = settings }

    /// The session of that id, nil when it is none.
    func session(_ name: String) -> KnownSession? { known.session(name) }

    /// Nil when the session id is none: such a session does not exist.
    func prepare(_ append: StoreAppend, isShortOfMemory: Bool) -> Prepared? {
        guard let session = session(append.session) else { return nil }
        var prepared = Prepared(
            tenant: append.tenant, session: session, fence: append.fence, firstSequence: append.firstSequence)
        var dropped = 0
        for (offset, bytes) in append.events.enumerated() {
            guard !bytes.isEmpty else {
                dropped += 1
                continue
            }
            let sequence = append.firstSequence + UInt64(offset)
            guard let event = read(bytes, sequence, append.fence) else {
                prepared.malformed = sequence
                break
            }
            prepared.fill(dropped, fence: event.fence)
            dropped = 0
            prepared.add(event, bytes: storable(event, bytes, append.redaction), isShortOfMemory: isShortOfMemory)
        }
        prepared.fill(dropped, fence: append.fence)
        return prepared
    }

    /// The event, if it is one, is small enough and says of itself what the append says.
    private func read(_ bytes: Data, _ sequence: UInt64, _ fence: UInt64) -> Event? {
        guard bytes.count <= settings.eventBytes, let event = try? Event(stored: bytes) else { return nil }
        return event.sequence == sequence && event.fence <= fence && event.fence > 0 ? event : nil
    }

    private func storable(_ event: Event, _ bytes: Data, _ redaction: String) -> Data {
        guard let redacted = Self.redact(event, by: settings.redaction, and: redaction), redacted.id == event.id else { return bytes }
        return (try? redacted.stored()) ?? bytes
    }

    /// What the store and what the session's backend wants taken out; nil when nothing is.
    static func redact(_ event: Event, by hook: any RedactionHook, and name: String) -> Event? {
        let first = hook.redact(event)
        guard !name.isEmpty, let own = redactions.hook(name) else { return first }
        return own.redact(first ?? event) ?? first
    }
}

extension EventIntake.Prepared {
    /// There are events, none was dropped, and all have the owner's own fence: the usual append.
    var isPlain: Bool { !entries.isEmpty && entries.allSatisfy { $0.fence == fence && !$0.bytes.isEmpty } }

    /// Dropped events belong to the fence of the event behind them, so that they do not get in its way.
    fileprivate mutating func fill(_ count: Int, fence: UInt64) {
        for _ in 0..<count { entries.append(Entry(fence: fence, bytes: Data())) }
    }

    fileprivate mutating func add(_ event: Event, bytes: Data, isShortOfMemory: Bool) {
        version = max(version, event.version)
        if isShortOfMemory, event.isTelemetry {
            refusesTelemetry = true
            entries.append(Entry(fence: event.fence, bytes: Data()))
            return
        }
        if case .closed = event.body { closes = true }
        if case .opened(let opened) = event.body { open(opened, event) }
        needsReplica = needsReplica || event.needsReplica
        entries.append(Entry(fence: event.fence, bytes: bytes))
    }

    private mutating func open(_ opened: Opened, _ event: Event) {
        guard event.sequence == 1, opened.session == session.name, opened.tenant == tenant else { return }
        opening = Opening(agent: opened.agentHash, backend: opened.backend)
    }

    /// What to tell the owner when the script says `outcome`.
    func answer(_ outcome: StoreAppendOutcome, next: UInt64) -> StoreAppended {
        .with {
            $0.session = session.name
            $0.fence = fence
            $0.outcome = outcome
            $0.nextSequence = next
            guard outcome == .stored else { return }
            if let malformed {
                $0.outcome = .refused
                $0.nextSequence = malformed
                $0.detail = RefusalDetail.malformed
            } else if refusesTelemetry {
                $0.outcome = .refused
                $0.detail = RefusalDetail.telemetry
            }
        }
    }
}
