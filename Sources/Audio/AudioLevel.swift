#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How loud a run of PCM16 samples is.
package struct AudioLevel: Sendable, Hashable {
    /// The decibels reported for digital silence: below the -90.3 dBFS of a single least significant bit.
    package static let silence: Float = -96

    /// Root mean square, 0...1 of full scale (32768).
    package let rms: Float
    /// Largest magnitude, 0...1 of full scale.
    package let peak: Float

    /// Level of `samples`; no samples are silence. One pass, no allocation.
    package init(of samples: Span<Int16>) {
        var energy: UInt64 = 0
        var peak: UInt32 = 0
        for index in samples.indices {
            let value = Int32(samples[index])
            energy &+= UInt64(value &* value)
            peak = max(peak, value.magnitude)
        }
        let mean = samples.isEmpty ? 0 : Double(energy) / Double(samples.count)
        rms = Float(mean.squareRoot() / 32768)
        self.peak = Float(peak) / 32768
    }

    /// Level relative to a full-scale square wave, in decibels: 0 is the loudest, a full-scale sine has -3.01,
    /// digital silence `AudioLevel.silence`.
    package var dBFS: Float { Self.decibels(rms) }

    /// The peak in dBFS.
    package var peakDBFS: Float { Self.decibels(peak) }

    private static func decibels(_ ratio: Float) -> Float {
        ratio > 0 ? max(silence, 20 * log10(ratio)) : silence
    }
}
