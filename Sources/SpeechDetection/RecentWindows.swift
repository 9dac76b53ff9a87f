/// The current window of a stream, being filled, with the windows and the context before it. Its size is fixed.
struct RecentWindows: Sendable {
    private static let context = SileroVAD.contextLength
    private static let window = SileroVAD.windowLength

    private var samples: [Int16]
    /// How many samples of the current window are there.
    private(set) var filled = 0

    /// Keeps this many windows before the current one.
    init(kept: Int) {
        samples = [Int16](repeating: 0, count: Self.context + (kept + 1) * Self.window)
    }

    /// How many samples the current window lacks.
    var missing: Int { Self.window - filled }

    /// Appends samples, at most as many as are missing.
    mutating func append(_ new: Span<Int16>) {
        precondition(new.count <= missing, "more samples than the window lacks")
        let offset = samples.count - missing
        unsafe samples.withUnsafeMutableBufferPointer { samples in
            for index in new.indices { unsafe samples[offset + index] = unsafe new[unchecked: index] }
        }
        filled += new.count
    }

    /// Begins the next window.
    mutating func advance() {
        unsafe samples.withUnsafeMutableBufferPointer { samples in
            let kept = unsafe UnsafeMutableBufferPointer(rebasing: samples.dropFirst(Self.window))
            _ = unsafe samples.update(fromContentsOf: kept)
        }
        filled = 0
    }

    /// Forgets everything: silence lies before the current window, which is empty.
    mutating func clear() {
        unsafe samples.withUnsafeMutableBufferPointer { unsafe $0.update(repeating: 0) }
        filled = 0
    }

    /// Gives a window, counted back from the current one, preceded by its context if asked for.
    func withWindow<Value, Failure: Error>(
        back: Int, withContext: Bool, _ body: (Span<Int16>) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        let end = samples.count - back * Self.window
        let start = end - Self.window - (withContext ? Self.context : 0)
        return try body(samples.span.extracting(start..<end))
    }
}
