extension MutableSpan where Element == Int16 {
    /// Copies samples to the place that begins at `start`; all of them must fit.
    package mutating func copy(_ samples: Span<Int16>, at start: Int) {
        precondition(start >= 0 && start + samples.count <= count)
        guard samples.count > 0 else { return }
        withUnsafeMutableBufferPointer { target in
            samples.withUnsafeBufferPointer { source in
                _ = UnsafeMutableBufferPointer(rebasing: target[start..<start + source.count]).update(fromContentsOf: source)
            }
        }
    }
}
