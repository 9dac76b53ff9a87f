/// A growable scratch of PCM16 samples that keeps its storage when emptied, so that a frame path allocates only while it
/// warms up.
///
/// Use: empty it with `removeAll()`, let a stage append to it, hand `samples.span` to the next one. A copy shares storage with
/// the original and the next change to either allocates, so hot paths keep one and pass it `inout`. It is bounded by whoever
/// appends: the stages of this module append in proportion to their input.
package struct SampleBuffer: Sendable, Hashable {
    /// The samples held; `samples.span` is what hot paths pass on.
    package private(set) var samples: [Int16]

    /// - Parameter capacity: samples that fit before the first reallocation.
    package init(capacity: Int = 0) {
        samples = []
        samples.reserveCapacity(capacity)
    }

    /// A buffer holding `samples`.
    package init(_ samples: [Int16]) {
        self.samples = samples
    }

    package var count: Int { samples.count }
    package var isEmpty: Bool { samples.isEmpty }

    /// The time the samples last, taken as 16 kHz mono.
    package var length: SessionTime { SessionTime(samples: samples.count) }

    /// Sample `index`, counted from the oldest.
    package subscript(index: Int) -> Int16 {
        get { samples[index] }
        set { samples[index] = newValue }
    }

    /// Forgets the samples, keeps the storage.
    package mutating func removeAll() {
        samples.removeAll(keepingCapacity: true)
    }

    /// Forgets the oldest `count` samples (all of them if there are fewer) and moves the rest to the front.
    package mutating func removeFirst(_ count: Int) {
        samples.removeFirst(min(count, samples.count))
    }

    package mutating func append(_ sample: Int16) {
        samples.append(sample)
    }

    package mutating func append(_ span: Span<Int16>) {
        unsafe append(adding: span.count) { destination in
            unsafe span.withUnsafeBufferPointer { source in
                _ = unsafe destination.initialize(fromContentsOf: source)
            }
            return span.count
        }
    }

    package mutating func append(_ other: [Int16]) {
        samples.append(contentsOf: other)
    }

    /// Appends `count` zeros.
    package mutating func appendSilence(_ count: Int) {
        samples.append(contentsOf: repeatElement(0, count: count))
    }

    /// Lets `body` initialise up to `capacity` samples behind those held; it returns how many it wrote.
    mutating func append(
        adding capacity: Int, _ body: (UnsafeMutableBufferPointer<Int16>) throws(AudioError) -> Int
    ) throws(AudioError) {
        try samples.append(addingCapacity: capacity) { (output: inout OutputSpan<Int16>) throws(AudioError) in
            try unsafe output.withUnsafeMutableBufferPointer { (buffer, count) throws(AudioError) in
                count = try unsafe body(UnsafeMutableBufferPointer(rebasing: buffer[..<capacity]))
            }
        }
    }

    /// As the throwing form, for writers that cannot fail.
    mutating func append(adding capacity: Int, _ body: (UnsafeMutableBufferPointer<Int16>) -> Int) {
        samples.append(addingCapacity: capacity) { output in
            unsafe output.withUnsafeMutableBufferPointer { buffer, count in
                count = unsafe body(buffer)
            }
        }
    }
}
