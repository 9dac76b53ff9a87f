package import Audio

/// The last 8 s of the caller's audio by session time, for the turn model. Fixed size: 250 KiB.
package struct RecentAudio: Sendable {
    /// Smart Turn looks at 8 s at most.
    package static let capacity = 8 * 16_000

    private var samples: [Int16] = []
    /// Samples ever written; the newest one is at `written - 1`.
    private var written: Int64 = 0
    /// Session time of the next sample.
    private var end = SessionTime.zero

    package init() {}

    /// Adds samples that start at `position`.
    package mutating func append(_ span: Span<Int16>, at position: SessionTime) {
        if samples.isEmpty { samples = Array(repeating: 0, count: Self.capacity) }
        let kept = span.extracting(max(0, span.count - Self.capacity)..<span.count)
        let at = Int((written + Int64(span.count - kept.count)) % Int64(Self.capacity))
        let beforeWrap = min(kept.count, Self.capacity - at)
        var ring = samples.mutableSpan
        ring.copy(kept.extracting(0..<beforeWrap), at: at)
        ring.copy(kept.extracting(beforeWrap..<kept.count), at: 0)
        written += Int64(span.count)
        end = position + SessionTime(samples: Int64(span.count))
    }

    /// The audio from `start` (or as far back as is kept) until now.
    package func since(_ start: SessionTime) -> [Int16] {
        let wanted = max(0, min((end - start).samples, min(written, Int64(Self.capacity))))
        return (0..<wanted).map { samples[Int((written - wanted + $0) % Int64(Self.capacity))] }
    }
}
