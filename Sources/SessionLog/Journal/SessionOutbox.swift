import Foundation
import NIOCore

/// What the owner of one session still has to say to the store, and what it keeps to say again. No I/O, no clock.
///
/// Events get consecutive sequences and stay here until the store has been seen to have them ten seconds after it acknowledged them: that
/// survives a Redis that failed over and lost its last second, however long it was away, since the store then answers `behind` and gets them
/// again. Also the events of a session that was closed stay for a moment. Sequences that had to be dropped stay as empty entries, so that
/// numbers never shift.
///
/// At the bound for what is not stored yet, telemetry is emptied, the oldest first, and new telemetry is not taken; a turn never is. At the hard
/// bound (hours of a conversation without a store) the session is given up as lost.
struct SessionOutbox {
    struct Limits {
        /// Bytes that may wait before telemetry goes.
        var softBytes = 1 << 20
        /// Bytes that may wait before the session is given up.
        var hardBytes = 16 << 20
        /// How long a stored event is kept.
        var keepMilliseconds: Int64 = 10_000
        /// How long a session lingers after its last event was stored: longer than Redis needs to have it on disk.
        var lingerMilliseconds: Int64 = 2_000
        /// Stored events kept at most, in bytes.
        var keptBytes = 512 << 10
        /// Events that one message to the store may carry.
        var eventsPerMessage = 256
        /// Bytes that one message to the store may carry; a message has one event at least.
        var bytesPerMessage = 256 << 10
        /// How long no telemetry is sent after the store refused some.
        var telemetryPauseMilliseconds: Int64 = 10_000
        /// Events that the store may be behind before what it lost can no longer be made good.
        var maximumGap: UInt64 = 100_000
    }

    enum LossReason: Equatable {
        /// Another owner holds a higher fence.
        case fenced
        /// There is no such session any more.
        case gone
        /// More waits for the store than may.
        case overflow
        /// The store named it lost for another reason.
        case told(String)
    }

    enum Effect: Equatable {
        /// Everything through this sequence is settled: stored, but for what was dropped.
        case settled(through: UInt64)
        /// There is something to send.
        case send
        /// As `send`, but the store needs a moment.
        case sendLater
        case lost(LossReason)
        /// Everything is stored and nothing more comes.
        case finished
        /// Nothing of it is needed any more.
        case released
    }

    struct Message: Equatable {
        let firstSequence: UInt64
        /// Empty data: dropped.
        let events: [Data]
    }

    private struct Entry {
        var bytes: Data
        let isTelemetry: Bool
        var storedAt: Int64?
    }

    let fence: UInt64
    private let limits: Limits
    private var entries = CircularBuffer<Entry>()
    private var firstSequence: UInt64
    private var storedThrough: UInt64
    private var sentThrough: UInt64
    private var reportedThrough: UInt64
    private var dropped: Set<UInt64> = []
    private var waitingBytes = 0
    private var keptBytes = 0
    private var noTelemetryBefore = Int64.min
    private var isClosing = false
    /// Monotonic time for which the store has last proved to have everything that it had acknowledged.
    private var confirmedAt: Int64
    private var lastStoredAt: Int64
    /// It was lost, or everything is stored and it was closed.
    private(set) var isOver = false
    /// It is over, and what it kept is not needed any more.
    private(set) var isReleased = false

    /// - Parameters:
    ///   - loaded: the end of the log as it was when the session was claimed, in order and contiguous up to `nextSequence - 1`; it is
    ///     repeated when the store turns out to have lost it
    init(fence: UInt64, nextSequence: UInt64, loaded: [Data] = [], now: Int64 = 0, limits: Limits = Limits()) {
        self.fence = fence
        self.limits = limits
        let loaded = loaded.suffix(Int(min(nextSequence - 1, UInt64(loaded.count))))
        firstSequence = nextSequence - UInt64(loaded.count)
        storedThrough = nextSequence - 1
        sentThrough = nextSequence - 1
        reportedThrough = nextSequence - 1
        confirmedAt = now
        lastStoredAt = now
        for bytes in loaded {
            entries.append(Entry(bytes: bytes, isTelemetry: false, storedAt: now))
            keptBytes += bytes.count
        }
        prune()
    }

    /// The sequence that the next event gets.
    var nextSequence: UInt64 { firstSequence + UInt64(entries.count) }
    /// Events that are not stored yet.
    var waiting: Int { Int(nextSequence - 1 - storedThrough) }
    var hasUnsent: Bool { !isReleased && sentThrough + 1 < nextSequence }
    /// The sequence behind the last event that the store has, as far as it has said so.
    var storedNext: UInt64 { storedThrough + 1 }

    /// What became of an event; nil while that is open.
    func outcome(of sequence: UInt64) -> StorageOutcome? {
        if dropped.contains(sequence) { return .dropped }
        if sequence <= reportedThrough { return .stored }
        return isOver ? .lost : nil
    }

    /// Adds an event under `nextSequence`.
    mutating func append(_ bytes: Data, isTelemetry: Bool, now: Int64) -> [Effect] {
        guard !isOver, !isClosing else { return [] }
        let sequence = nextSequence
        let isRefused = isTelemetry && (now < noTelemetryBefore || waitingBytes + bytes.count > limits.softBytes)
        entries.append(Entry(bytes: isRefused ? Data() : bytes, isTelemetry: isTelemetry))
        if isRefused { markDropped(sequence) } else { waitingBytes += bytes.count }
        if waitingBytes > limits.softBytes { dropTelemetry() }
        guard waitingBytes <= limits.hardBytes else { return lose(.overflow) }
        // Nobody waits for telemetry, and behind the next turn or sentence it costs next to nothing; the next renewal takes what is left.
        return isTelemetry ? [] : [.send]
    }

    /// Nothing more is appended.
    mutating func close() -> [Effect] {
        guard !isOver, !isClosing else { return [] }
        isClosing = true
        return finishIfDone()
    }

    /// Nothing more is said.
    mutating func abandon() { if !isOver { _ = lose(.told("given up")) } }

    /// The next message to the store; nil when everything was sent.
    mutating func takeUnsent() -> Message? {
        guard hasUnsent else { return nil }
        var sequence = sentThrough + 1
        let first = sequence
        var events: [Data] = []
        var bytes = 0
        while sequence < nextSequence, events.count < limits.eventsPerMessage {
            let event = sequence < firstSequence ? Data() : entries[offset: Int(sequence - firstSequence)].bytes
            guard events.isEmpty || bytes + event.count <= limits.bytesPerMessage else { break }
            events.append(event)
            bytes += event.count
            sequence += 1
        }
        sentThrough = sequence - 1
        return Message(firstSequence: first, events: events)
    }

    /// The stream broke: what it did not answer goes out again on the next one.
    mutating func streamBroke() {
        sentThrough = storedThrough
    }

    /// The store answered a message.
    mutating func answered(_ answer: StoreAppended, now: Int64) -> [Effect] {
        guard !isReleased else { return [] }
        switch answer.outcome {
        case .stored: return stored(through: answer.nextSequence - min(1, answer.nextSequence), now: now)
        case .behind: return behind(answer.nextSequence, now: now)
        case .fenced: return lose(.fenced)
        case .gone: return isOver && waiting == 0 ? [] : lose(.gone)
        case .unavailable, .UNRECOGNIZED:
            streamBroke()
            return [.sendLater]
        case .refused: return refused(answer, now: now)
        }
    }

    /// The store says that the session is not ours any more.
    mutating func told(_ reason: String) -> [Effect] {
        guard !isOver else { return [] }
        return lose(.told(reason))
    }

    /// The store has answered a renewal that was sent at `time`, and had everything that it had acknowledged by then.
    mutating func confirmed(at time: Int64) -> [Effect] {
        confirmedAt = max(confirmedAt, time)
        prune()
        guard isOver, !isReleased, waiting == 0, confirmedAt - lastStoredAt >= limits.lingerMilliseconds else {
            return []
        }
        return release()
    }

    /// Forgets what was stored long enough before the store last proved to have it.
    private mutating func prune() {
        while let first = entries.first, let storedAt = first.storedAt, firstSequence <= storedThrough,
            confirmedAt - storedAt >= limits.keepMilliseconds || keptBytes > limits.keptBytes
        {
            keptBytes -= first.bytes.count
            dropped.remove(firstSequence)
            entries.removeFirst()
            firstSequence += 1
        }
    }

    // MARK: Answers

    private mutating func stored(through sequence: UInt64, now: Int64) -> [Effect] {
        let last = min(sequence, nextSequence - 1)
        guard last > storedThrough else { return [] }
        for number in (storedThrough + 1)...last where number >= firstSequence { keep(number, now) }
        storedThrough = last
        sentThrough = max(sentThrough, last)
        lastStoredAt = now
        prune()
        guard last > reportedThrough else { return finishIfDone() }
        reportedThrough = last
        return [.settled(through: last)] + finishIfDone()
    }

    private mutating func keep(_ sequence: UInt64, _ now: Int64) {
        let offset = Int(sequence - firstSequence)
        guard entries[offset: offset].storedAt == nil else { return }
        entries[offset: offset].storedAt = now
        waitingBytes -= entries[offset: offset].bytes.count
        keptBytes += entries[offset: offset].bytes.count
    }

    /// It is not stored after all.
    private mutating func unkeep(_ sequence: UInt64) {
        let offset = Int(sequence - firstSequence)
        guard entries[offset: offset].storedAt != nil else { return }
        entries[offset: offset].storedAt = nil
        keptBytes -= entries[offset: offset].bytes.count
        waitingBytes += entries[offset: offset].bytes.count
    }

    private mutating func behind(_ next: UInt64, now: Int64) -> [Effect] {
        guard next >= 1, next < nextSequence else { return stored(through: next - min(1, next), now: now) }
        // A log cannot begin without its first event.
        let isRepeatable =
            next > 1 ? firstSequence <= next || firstSequence - next <= limits.maximumGap : firstSequence == 1
        guard isRepeatable else { return lose(.gone) }
        for number in max(next, firstSequence)..<max(next, firstSequence, storedThrough + 1) { unkeep(number) }
        storedThrough = min(storedThrough, next - 1)
        sentThrough = next - 1
        return [.send]
    }

    private mutating func refused(_ answer: StoreAppended, now: Int64) -> [Effect] {
        let effects: [Effect]
        switch answer.detail {
        case RefusalDetail.telemetry:
            noTelemetryBefore = now + limits.telemetryPauseMilliseconds
            for sequence in sequences(storedThrough + 1, answer.nextSequence) where isTelemetry(sequence) {
                empty(sequence)
            }
            effects = stored(through: answer.nextSequence - min(1, answer.nextSequence), now: now)
        default:
            let before = stored(through: answer.nextSequence - min(1, answer.nextSequence), now: now)
            if answer.nextSequence > storedThrough, answer.nextSequence < nextSequence { empty(answer.nextSequence) }
            sentThrough = storedThrough
            effects = before + [.send]
        }
        return effects
    }

    private func sequences(_ from: UInt64, _ end: UInt64) -> Range<UInt64> {
        let end = min(end, nextSequence)
        return from < end ? from..<end : from..<from
    }

    private func isTelemetry(_ sequence: UInt64) -> Bool {
        sequence >= firstSequence && entries[offset: Int(sequence - firstSequence)].isTelemetry
    }

    // MARK: Dropping

    private mutating func dropTelemetry() {
        for sequence in sequences(max(sentThrough, storedThrough) + 1, nextSequence)
        where waitingBytes > limits.softBytes {
            if isTelemetry(sequence) { empty(sequence) }
        }
    }

    private mutating func empty(_ sequence: UInt64) {
        guard sequence >= firstSequence else { return }
        let offset = Int(sequence - firstSequence)
        if entries[offset: offset].storedAt == nil { waitingBytes -= entries[offset: offset].bytes.count }
        entries[offset: offset].bytes = Data()
        markDropped(sequence)
    }

    private mutating func markDropped(_ sequence: UInt64) {
        dropped.insert(sequence)
    }

    private mutating func lose(_ reason: LossReason) -> [Effect] {
        // Of a session that was closed nobody waits for anything.
        guard !isOver else { return release() }
        isOver = true
        return [.lost(reason)] + release()
    }

    private mutating func release() -> [Effect] {
        isReleased = true
        firstSequence = nextSequence
        entries.removeAll()
        return [.released]
    }

    private mutating func finishIfDone() -> [Effect] {
        guard isClosing, !isOver, waiting == 0 else { return [] }
        isOver = true
        return [.finished]
    }
}

/// Why the store refused an event, in `Appended.detail`.
package enum RefusalDetail {
    /// Memory is short: the telemetry of the append was not stored, everything else was.
    package static let telemetry = "telemetry"
    /// The event `next_sequence` cannot be read or is too large.
    package static let malformed = "malformed"
}

extension CircularBuffer {
    fileprivate subscript(offset offset: Int) -> Element {
        get { self[index(startIndex, offsetBy: offset)] }
        set { self[index(startIndex, offsetBy: offset)] = newValue }
    }
}
