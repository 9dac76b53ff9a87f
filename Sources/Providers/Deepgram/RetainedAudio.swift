import Conversation

/// The newest audio of a stream that may have to be sent again: a ring that grows to its bound and then forgets the oldest.
/// Positions are samples since the stream was opened.
struct RetainedAudio {
    /// Ten seconds, as the contract of `SpeechToText` says.
    static let maximumSamples = 160_000

    private var storage = [Int16](repeating: 0, count: 8_192)
    private var head = 0
    private(set) var count = 0
    /// The position of the oldest sample kept.
    private(set) var start: Int64 = 0
    /// Samples forgotten although nobody had confirmed them.
    private(set) var dropped: Int64 = 0

    /// The position after the newest sample.
    var end: Int64 { start + Int64(count) }

    mutating func append(_ samples: Span<Int16>) {
        let room = max(0, Self.maximumSamples - samples.count)
        if count > room { drop(count - room, isLoss: true) }
        let overflow = max(0, samples.count - Self.maximumSamples)
        start += Int64(overflow)
        dropped += Int64(overflow)
        let needed = count + samples.count - overflow
        if needed > storage.count { grow(needed) }
        let at = (head + count) % storage.count
        let added = samples.extracting(overflow..<samples.count)
        let beforeWrap = min(added.count, storage.count - at)
        var destination = storage.mutableSpan
        destination.copy(added.extracting(0..<beforeWrap), at: at)
        destination.copy(added.extracting(beforeWrap..<added.count), at: 0)
        count = needed
    }

    /// Forgets what lies before `position`.
    mutating func confirm(upTo position: Int64) {
        let known = Int(min(Int64(count), max(0, position - start)))
        if known > 0 { drop(known, isLoss: false) }
    }

    /// The samples from `position` on, at most `limit`, in one or two pieces.
    func read(from position: Int64, limit: Int, _ body: (Span<Int16>) -> Void) -> Int {
        let offset = Int(max(0, position - start))
        let length = min(limit, count - offset)
        guard length > 0 else { return 0 }
        let at = (head + offset) % storage.count
        let beforeWrap = min(length, storage.count - at)
        let all = storage.span
        body(all.extracting(at..<at + beforeWrap))
        if beforeWrap < length { body(all.extracting(0..<length - beforeWrap)) }
        return length
    }

    private mutating func drop(_ samples: Int, isLoss: Bool) {
        head = (head + samples) % storage.count
        count -= samples
        start += Int64(samples)
        if isLoss { dropped += Int64(samples) }
    }

    private mutating func grow(_ needed: Int) {
        var size = storage.count
        while size < needed { size *= 2 }
        var larger = [Int16](repeating: 0, count: min(size, max(needed, Self.maximumSamples)))
        for index in 0..<count { larger[index] = storage[(head + index) % storage.count] }
        storage = larger
        head = 0
    }
}
