package import NIOCore

/// The caller's messages since the worker's last release, so that another worker can hear them again.
///
/// Holds at most 15 s; at the bound the oldest are dropped and counted. Numbers are never reused.
package struct KeptMessages: Sendable {
    package struct Message: Sendable, Equatable {
        package var number: UInt64
        package var arrivalMicroseconds: Int64
        package var text: Bool
        package var bytes: ByteBuffer
    }

    /// Older messages are dropped; architecture: at most 15 s.
    package static let maximumAgeMicroseconds: Int64 = 15_000_000
    /// Memory bound for a caller that sends absurdly much: 4 MiB.
    package static let maximumBytes = 4 << 20

    private var messages: CircularBuffer<Message> = CircularBuffer(initialCapacity: 64)
    private var bytes = 0
    private var next: UInt64 = 1
    /// Dropped at the bound, never heard by a later worker.
    package private(set) var dropped = 0

    package init() {}

    /// Number of the first message that would be replayed.
    package var firstKept: UInt64 { messages.first?.number ?? next }
    /// Number of the last message that came; 0 before the first.
    package var last: UInt64 { next - 1 }
    /// From the first to the last kept message.
    package var spanMicroseconds: Int64 {
        guard let first = messages.first, let last = messages.last else { return 0 }
        return last.arrivalMicroseconds - first.arrivalMicroseconds
    }
    package var count: Int { messages.count }
    package var all: some Sequence<Message> { messages }

    /// Takes a message and returns its number.
    package mutating func append(_ message: ByteBuffer, text: Bool, arrivalMicroseconds now: Int64) -> UInt64 {
        let number = next
        next += 1
        messages.append(Message(number: number, arrivalMicroseconds: now, text: text, bytes: message))
        bytes += message.readableBytes
        while let first = messages.first,
            bytes > Self.maximumBytes || now - first.arrivalMicroseconds > Self.maximumAgeMicroseconds, messages.count > 1
        {
            removeFirst()
            dropped += 1
        }
        return number
    }

    /// Forgets messages up to and including `number`.
    package mutating func release(through number: UInt64) {
        while let first = messages.first, first.number <= number { removeFirst() }
    }

    private mutating func removeFirst() {
        bytes -= messages.removeFirst().bytes.readableBytes
    }
}
