/// A position in a session, or a length of it, counted in samples at 16 kHz.
///
/// Session time is what turn taking, transcripts and recordings are dated in: it advances with the samples fed to speech
/// detection (the caller's, or silence where there are none) and knows no clock. Negative values are differences.
package struct SessionTime: Hashable, Sendable {
    /// Samples per second of session time, and of all audio inside Parley.
    package static let sampleRate = 16_000
    /// Samples per millisecond of session time.
    package static let samplesPerMillisecond = 16
    /// The start of a session, or no time at all.
    package static let zero = SessionTime(samples: 0)

    /// The number of 16 kHz samples.
    package var samples: Int64

    package init(samples: Int64) {
        self.samples = samples
    }

    package init(samples: Int) {
        self.samples = Int64(samples)
    }

    package init(milliseconds: Int64) {
        samples = milliseconds * Int64(Self.samplesPerMillisecond)
    }

    /// Rounds to the nearest sample.
    package init(seconds: Double) {
        samples = Int64((seconds * Double(Self.sampleRate)).rounded())
    }

    /// Rounds down to a whole sample. `Duration` is exact to the attosecond, a sample is 62.5 microseconds.
    package init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        samples = seconds * Int64(Self.sampleRate) + attoseconds / (1_000_000_000_000_000_000 / Int64(Self.sampleRate))
    }

    /// `milliseconds(20)` is 320 samples.
    package static func milliseconds(_ count: Int64) -> SessionTime {
        SessionTime(milliseconds: count)
    }

    /// Whole milliseconds, rounded down (towards negative infinity, so that differences of a sample keep their order).
    package var milliseconds: Int64 {
        let quotient = samples / Int64(Self.samplesPerMillisecond)
        return samples % Int64(Self.samplesPerMillisecond) < 0 ? quotient - 1 : quotient
    }

    package var seconds: Double {
        Double(samples) / Double(Self.sampleRate)
    }

    package var duration: Duration {
        .nanoseconds(samples * 62_500)
    }
}

extension SessionTime: Comparable, AdditiveArithmetic {
    package static func < (left: SessionTime, right: SessionTime) -> Bool {
        left.samples < right.samples
    }

    package static func + (left: SessionTime, right: SessionTime) -> SessionTime {
        SessionTime(samples: left.samples + right.samples)
    }

    package static func - (left: SessionTime, right: SessionTime) -> SessionTime {
        SessionTime(samples: left.samples - right.samples)
    }

    package static func * (left: SessionTime, right: Int64) -> SessionTime {
        SessionTime(samples: left.samples * right)
    }

    package static func / (left: SessionTime, right: Int64) -> SessionTime {
        SessionTime(samples: left.samples / right)
    }

    package static prefix func - (time: SessionTime) -> SessionTime {
        SessionTime(samples: -time.samples)
    }
}

extension SessionTime: CustomStringConvertible {
    /// Seconds with milliseconds, e.g. `12.340 s`.
    package var description: String {
        let total = abs(samples) / Int64(Self.samplesPerMillisecond)
        let fraction = String(total % 1000)
        let padding = String(repeating: "0", count: 3 - fraction.count)
        return "\(samples < 0 ? "-" : "")\(total / 1000).\(padding)\(fraction) s"
    }
}

extension SessionTime: Codable {
    /// Encoded as its number of samples.
    package init(from decoder: any Decoder) throws {
        samples = try decoder.singleValueContainer().decode(Int64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(samples)
    }
}
