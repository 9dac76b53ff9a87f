/// Known recordings that are recognised by their exact samples, from any place in them and within a few milliseconds.
///
/// Windows of 4 ms are indexed every 5 ms of each clip; a stream is hashed at every sample (Karp and Rabin, "Efficient
/// randomized pattern-matching algorithms", 1987), so that 9 ms of a clip always contain a window that is found. Every
/// hit is compared sample by sample.
package struct AudioFingerprints: Sendable {
    /// A moment of a clip.
    struct Place: Sendable, Hashable {
        var clip: Int
        /// The first sample of the window.
        var offset: Int
    }

    /// Samples of a window.
    static let window = 64
    /// Samples between two indexed windows of a clip.
    static let stride = 80
    /// Windows that move less than this are silence, which sounds the same everywhere.
    private static let flatness = 24
    /// A clip that is loud for this long without an indexed window could not be told from others there.
    private static let longestGap = 3_200
    private static let loud = 300

    /// The recordings, numbered by their place here.
    package let clips: [[Int16]]
    private let places: [UInt64: Place]

    /// Throws where a stretch of a clip of 200 ms could be taken for another place.
    package init(_ clips: [[Int16]]) throws(AudioFingerprintsError) {
        self.clips = clips
        var places: [UInt64: Place] = [:]
        var ambiguous: Set<UInt64> = []
        for (clip, samples) in clips.enumerated() {
            for offset in Swift.stride(from: 0, through: samples.count - Self.window, by: Self.stride) {
                let window = samples[offset..<offset + Self.window]
                guard !Self.isFlat(window) else { continue }
                let hash = RollingHash.of(window)
                if places.updateValue(Place(clip: clip, offset: offset), forKey: hash) != nil { ambiguous.insert(hash) }
            }
        }
        for (clip, samples) in clips.enumerated() { Self.findTwins(of: places, in: samples, clip, &ambiguous) }
        for hash in ambiguous { places[hash] = nil }
        self.places = places
        try checkCoverage()
    }

    /// The place whose window has this hash; the caller compares the samples.
    func place(_ hash: UInt64) -> Place? { places[hash] }

    /// Hashes of windows that are found in a clip at another place than the indexed one, whatever its alignment.
    private static func findTwins(
        of places: [UInt64: Place], in samples: [Int16], _ clip: Int, _ ambiguous: inout Set<UInt64>
    ) {
        guard samples.count >= window else { return }
        var hash = RollingHash.of(samples[..<window])
        for offset in 0...(samples.count - window) {
            if offset > 0 { hash = RollingHash.roll(hash, out: samples[offset - 1], in: samples[offset + window - 1]) }
            if let place = places[hash], place != Place(clip: clip, offset: offset) { ambiguous.insert(hash) }
        }
    }

    private func checkCoverage() throws(AudioFingerprintsError) {
        var known = clips.map { _ in [Int]() }
        for place in places.values { known[place.clip].append(place.offset) }
        for (clip, offsets) in known.enumerated() {
            var last = 0
            for offset in offsets.sorted() + [clips[clip].count] {
                if offset - last > Self.longestGap,
                    clips[clip][last..<offset].contains(where: { abs(Int($0)) > Self.loud })
                {
                    throw AudioFingerprintsError(clip: clip, from: last, to: offset)
                }
                last = offset
            }
            if offsets.isEmpty { throw AudioFingerprintsError(clip: clip, from: 0, to: clips[clip].count) }
        }
    }

    private static func isFlat(_ window: ArraySlice<Int16>) -> Bool {
        guard let lowest = window.min(), let highest = window.max() else { return true }
        return Int(highest) - Int(lowest) < flatness
    }
}

/// A stretch of a clip that cannot be told from another place: it is found elsewhere too, or too short or silent to be
/// found at all.
package struct AudioFingerprintsError: Error, Sendable, Hashable, CustomStringConvertible {
    package let clip: Int
    package let from: Int
    package let to: Int

    package var description: String { "samples \(from) to \(to) of clip \(clip) are not unique" }
}

/// A polynomial over the samples of a window, modulo 2^64.
enum RollingHash {
    private static let base: UInt64 = 0x9E37_79B9_7F4A_7C15
    /// `base` to the power of the window's length.
    private static let weight = (0..<AudioFingerprints.window).reduce(UInt64(1)) { product, _ in product &* base }

    static func of(_ window: ArraySlice<Int16>) -> UInt64 { window.reduce(0) { push($0, $1) } }

    /// One sample more.
    static func push(_ hash: UInt64, _ sample: Int16) -> UInt64 {
        hash &* base &+ UInt64(UInt16(bitPattern: sample)) &+ 1
    }

    /// One sample further.
    static func roll(_ hash: UInt64, out: Int16, in sample: Int16) -> UInt64 {
        push(hash, sample) &- (UInt64(UInt16(bitPattern: out)) &+ 1) &* weight
    }
}
