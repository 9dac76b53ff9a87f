import Foundation

@testable import Audio

/// Test signals and what is measured on them.
enum Signals {
    /// A sine of `frequency` Hz with `amplitude` (of 32767), `count` samples at `rate` Hz.
    static func sine(_ frequency: Double, amplitude: Double = 10_000, count: Int, rate: Int = 16_000) -> [Int16] {
        (0..<count).map { Int16((amplitude * sin(2 * .pi * frequency * Double($0) / Double(rate))).rounded()) }
    }

    /// Amplitude of the component at `frequency` Hz (a single bin of a Fourier transform).
    static func amplitude(of frequency: Double, in samples: some Collection<Int16>, rate: Int = 16_000) -> Double {
        var real = 0.0
        var imaginary = 0.0
        for (index, sample) in samples.enumerated() {
            let phase = 2 * .pi * frequency * Double(index) / Double(rate)
            real += Double(sample) * cos(phase)
            imaginary += Double(sample) * sin(phase)
        }
        return 2 * (real * real + imaginary * imaginary).squareRoot() / Double(samples.count)
    }

    /// Root mean square over the full range of a sample.
    static func rms(_ samples: some Collection<Int16>) -> Double {
        (samples.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(max(1, samples.count))).squareRoot()
    }

    /// Ratio in decibels of `reference` to what differs from it in `samples`; compares the shorter length.
    static func signalToNoise(_ reference: some Collection<Int16>, _ samples: some Collection<Int16>) -> Double {
        var signal = 0.0
        var noise = 0.0
        for (expected, actual) in zip(reference, samples) {
            signal += Double(expected) * Double(expected)
            noise += (Double(expected) - Double(actual)) * (Double(expected) - Double(actual))
        }
        return noise == 0 ? .infinity : 10 * log10(signal / noise)
    }

    /// The samples as little-endian bytes.
    static func bytes(_ samples: [Int16]) -> [UInt8] {
        samples.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] }
    }
}
