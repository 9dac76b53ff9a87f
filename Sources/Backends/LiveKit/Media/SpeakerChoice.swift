import NIOCore

/// Chooses whose audio the agent hears where several people may speak: one at a time, so that two who speak at once are one barge-in. Pure.
///
/// Whoever is loud while the one with the floor has been quiet for a while gets it.
struct SpeakerChoice {
    /// RMS of PCM16 above which somebody speaks: -40 dB.
    static let loud = 327.0
    /// Pauses within a sentence do not pass the floor on; monotonic nanoseconds.
    static let hold: Int64 = 700_000_000

    private(set) var speaker: String?
    private var lastLoud: Int64 = 0

    /// Whether the frame is one that the agent hears.
    mutating func hears(_ identity: String, level: Double, at now: Int64) -> Bool {
        if speaker == nil { speaker = identity }
        if level >= Self.loud {
            if speaker != identity, now - lastLoud > Self.hold { speaker = identity }
            if speaker == identity { lastLoud = now }
        }
        return speaker == identity
    }

    mutating func left(_ identity: String) { if speaker == identity { speaker = nil } }

    /// RMS of little-endian PCM16.
    static func level(_ samples: ByteBuffer) -> Double {
        var sum = 0.0
        var reader = samples
        var count = 0
        while let sample = reader.readInteger(endianness: .little, as: Int16.self) {
            sum += Double(sample) * Double(sample)
            count += 1
        }
        return count == 0 ? 0 : (sum / Double(count)).squareRoot()
    }
}
