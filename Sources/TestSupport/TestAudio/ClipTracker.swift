/// Hears a stream and says which clip is in it, and where in the clip it is. A value; time is counted in samples.
///
/// A stretch of a clip may begin and end anywhere. Single samples left out or repeated inside do not end it.
package struct ClipTracker: Sendable {
    /// A part of a clip that was heard without a break.
    package struct Stretch: Sendable, Hashable {
        package let clip: Int
        /// Samples of the clip, the end not included.
        package var from: Int
        package var to: Int
        /// Samples of the stream, the end not included.
        package var start: Int
        package var end: Int
    }

    /// Samples remembered, a power of two: a stretch is followed back to where it began.
    private static let memory = 1_024
    /// A thread that was lost may be taken up again within so many samples: a window and the distance to the next one.
    private static let patience = AudioFingerprints.window + AudioFingerprints.stride + 32
    /// Samples by which the clip or the stream may be off when the thread is taken up again.
    private static let slip = 2

    private let index: AudioFingerprints
    /// Samples heard so far.
    package private(set) var position = 0
    private var recent = [Int16](repeating: 0, count: memory)
    private var hash: UInt64 = 0
    /// Samples in `hash`.
    private var fill = 0
    private var zeros = 0
    private var followed: Stretch?
    private var lost: Stretch?
    /// Where the last stretch ended in the stream.
    private var floor = 0

    package init(_ index: AudioFingerprints) { self.index = index }

    /// The stretch that is going on, or that was lost a moment ago.
    package var current: Stretch? { followed ?? lost }

    /// Takes the next samples; `ended` gets each stretch that has come to its end, in order.
    package mutating func hear(_ samples: some Sequence<Int16>, ended: (Stretch) -> Void) {
        for sample in samples {
            recent[position & (Self.memory - 1)] = sample
            position += 1
            zeros = sample == 0 ? zeros + 1 : 0
            if followed != nil { follow(sample, ended) } else { search(sample, ended) }
        }
    }

    private mutating func follow(_ sample: Int16, _ ended: (Stretch) -> Void) {
        guard var stretch = followed else { return }
        let clip = index.clips[stretch.clip]
        guard stretch.to < clip.count, clip[stretch.to] == sample else {
            followed = nil
            lost = stretch
            floor = stretch.end
            return search(sample, ended)
        }
        stretch.to += 1
        stretch.end = position
        followed = stretch
        guard stretch.to == clip.count else { return }
        followed = nil
        floor = position
        fill = 0
        hash = 0
        ended(stretch)
    }

    private mutating func search(_ sample: Int16, _ ended: (Stretch) -> Void) {
        // Nothing is found in silence, and rolling zeros over zeros changes nothing.
        if zeros <= AudioFingerprints.window { roll(sample) }
        if fill == AudioFingerprints.window, let place = index.place(hash), matches(place) { found(place, ended) }
        guard let stretch = lost, position - stretch.end > Self.patience else { return }
        lost = nil
        ended(stretch)
    }

    private mutating func roll(_ sample: Int16) {
        if fill < AudioFingerprints.window {
            fill += 1
            hash = RollingHash.push(hash, sample)
        } else {
            hash = RollingHash.roll(hash, out: recent(position - 1 - AudioFingerprints.window), in: sample)
        }
    }

    private mutating func found(_ place: AudioFingerprints.Place, _ ended: (Stretch) -> Void) {
        let clip = index.clips[place.clip]
        var stretch = Stretch(
            clip: place.clip, from: place.offset, to: place.offset + AudioFingerprints.window,
            start: position - AudioFingerprints.window, end: position)
        let earliest = max(floor, position - Self.memory)
        while stretch.from > 0, stretch.start > earliest, recent(stretch.start - 1) == clip[stretch.from - 1] {
            stretch.from -= 1
            stretch.start -= 1
        }
        if let before = lost {
            lost = nil
            if continues(before, stretch) {
                stretch.from = before.from
                stretch.start = before.start
            } else {
                ended(before)
            }
        }
        fill = 0
        hash = 0
        guard stretch.to < clip.count else {
            floor = position
            return ended(stretch)
        }
        followed = stretch
    }

    private func continues(_ before: Stretch, _ stretch: Stretch) -> Bool {
        before.clip == stretch.clip && stretch.start - before.end <= Self.slip
            && abs(stretch.from - before.to) <= Self.slip
    }

    private func matches(_ place: AudioFingerprints.Place) -> Bool {
        let clip = index.clips[place.clip]
        return (0..<AudioFingerprints.window).allSatisfy {
            recent(position - AudioFingerprints.window + $0) == clip[place.offset + $0]
        }
    }

    /// The sample at a position of the stream that is still remembered.
    private func recent(_ at: Int) -> Int16 { recent[at & (Self.memory - 1)] }
}
