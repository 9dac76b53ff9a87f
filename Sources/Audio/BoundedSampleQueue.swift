/// A first-in, first-out queue of samples with a fixed capacity.
///
/// At the bound the oldest samples give way: what is said now matters more than what was said a while ago. Every sample lost
/// that way is counted in `dropped`. Storage is allocated once.
package struct BoundedSampleQueue: Sendable {
    /// The most samples the queue holds.
    package let capacity: Int
    /// Samples held.
    package private(set) var count = 0
    /// Samples dropped at the bound since the queue was made.
    package private(set) var dropped: Int64 = 0

    private var storage: [Int16]
    private var head = 0

    /// - Parameter capacity: at least one sample.
    package init(capacity: Int) {
        precondition(capacity > 0, "a queue of no samples")
        self.capacity = capacity
        storage = Array(repeating: 0, count: capacity)
    }

    package var isEmpty: Bool { count == 0 }

    /// Appends `samples`; returns how many samples, oldest first, had to be dropped for them.
    @discardableResult
    package mutating func append(_ samples: Span<Int16>) -> Int {
        let lost = max(0, count + samples.count - capacity)
        discard(min(lost, count))
        let first = max(0, samples.count - capacity)
        var tail = (head + count) % capacity
        for index in first..<samples.count {
            storage[tail] = samples[index]
            tail = tail + 1 == capacity ? 0 : tail + 1
        }
        count += samples.count - first
        dropped += Int64(lost)
        return lost
    }

    /// Moves up to `limit` samples, oldest first, to the end of `buffer`; returns how many.
    @discardableResult
    package mutating func read(_ limit: Int, into buffer: inout SampleBuffer) -> Int {
        let taken = min(limit, count)
        let straight = min(taken, capacity - head)
        buffer.append(storage.span.extracting(head..<head + straight))
        buffer.append(storage.span.extracting(0..<taken - straight))
        discard(taken)
        return taken
    }

    /// Forgets up to `limit` samples, oldest first, without counting them as dropped; returns how many.
    @discardableResult
    package mutating func discard(_ limit: Int) -> Int {
        let taken = min(limit, count)
        head = (head + taken) % capacity
        count -= taken
        return taken
    }

    /// Forgets everything held, e.g. when the caller interrupts.
    package mutating func removeAll() {
        discard(count)
    }
}
