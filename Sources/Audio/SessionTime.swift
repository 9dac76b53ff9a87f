/// A position in a session, or a length of it, counted in samples at 16 kHz.
///
/// Session time is what turn taking, transcripts and recordings are dated in: it advances with the samples fed to speech
/// detection (the caller's, or silence where there are none) and knows no clock. Negative values are differences.
public struct SessionTime: Hashable, Sendable {
    /// Samples per second of session time, and of all audio inside Parley.
    public static let sampleRate = 16_000
    /// Samples per millisecond of session time.
    public static let samplesPerMillisecond = 16
    /// The start of a session, or no time at all.
    public static let zero = SessionTime(samples: 0)

    /// The number of 16 kHz samples.
    public var samples: Int64

    public init(samples: Int64) {
        self.samples = samples
    }

    public init(samples: Int) {
        self.samples = Int64(samples)
    }

    public init(milliseconds: Int64) {
        samples = milliseconds * Int64(Self.samplesPerMillisecond)
    }

    /// Rounds to the nearest sample.
    public init(seconds: Double) {
        samples = Int64((seconds * Double(Self.sampleRate)).rounded())
    }

    /// Rounds down to a whole sample. `Duration` is exact to the attosecond, a sample is 62.5 microseconds.
    public init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        samples = seconds * Int64(Self.sampleRate) + attoseconds / (1_000_000_000_000_000_000 / Int64(Self.sampleRate))
    }

    /// `milliseconds(20)` is 320 samples.
    public static func milliseconds(_ count: Int64) -> SessionTime {
        SessionTime(milliseconds: count)
    }

    /// Whole milliseconds, rounded down (towards negative infinity, so that differences of a sample keep their order).
    public var milliseconds: Int64 {
        let quotient = samples / Int64(Self.samplesPerMillisecond)
        return samples % Int64(Self.samplesPerMillisecond) < 0 ? quotient - 1 : quotient
    }

    public var seconds: Double {
        Double(samples) / Double(Self.sampleRate)
    }

    public var duration: Duration {
        .nanoseconds(samples * 62_500)
    }
}

extension SessionTime: Comparable, AdditiveArithmetic {
    public static func < (left: SessionTime, right: SessionTime) -> Bool {
        left.samples < right.samples
    }

    public static func + (left: SessionTime, right: SessionTime) -> SessionTime {
        SessionTime(samples: left.samples + right.samples)
    }

    public static func - (left: SessionTime, right: SessionTime) -> SessionTime {
        SessionTime(samples: left.samples - right.samples)
    }

    public static func * (left: SessionTime, right: Int64) -> SessionTime {
        SessionTime(samples: left.samples * right)
    }

    public static func / (left: SessionTime, right: Int64) -> SessionTime {
        SessionTime(samples: left.samples / right)
    }

    public static prefix func - (time: SessionTime) -> SessionTime {
        SessionTime(samples: -time.samples)
    }
}

extension SessionTime: CustomStringConvertible {
    /// Seconds with milliseconds, e.g. `12.340 s`.
    public var description: String {
        let total = abs(samples) / Int64(Self.samplesPerMillisecond)
        let fraction = String(total % 1000)
        let padding = String(repeating: "0", count: 3 - fraction.count)
        return "\(samples < 0 ? "-" : "")\(total / 1000).\(padding)\(fraction) s"
    }
}

extension SessionTime: Codable {
    /// Encoded as its number of samples.
    public init(from decoder: any Decoder) throws {
        samples = try decoder.singleValueContainer().decode(Int64.self)
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(samples)
    }
}
