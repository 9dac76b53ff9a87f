#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Loudness over the last 400 ms by ITU-R BS.1770 (K weighting, one channel), as Pipecat's analyzer uses it: from 0 at
/// -110 LUFS to 1 at -10 LUFS, smoothed from window to window.
package struct LoudnessMeter: Sendable {
    /// 400 ms in blocks of 8 ms.
    private static let blocks = 50
    private static let blockLength = 128
    /// What part of the way to a new value the smoothed one goes (Pipecat's factor).
    private static let step: Float = 0.2

    private var shelf = Biquad.highShelf(gain: 4, q: 0.5.squareRoot(), frequency: 1_500)
    private var highPass = Biquad.highPass(q: 0.5, frequency: 38)
    private var energies = [Float](repeating: 0, count: blocks)
    private var nextBlock = 0
    /// The smoothed loudness, 0...1.
    package private(set) var loudness: Float = 0

    package init() {}

    /// Takes the next samples at 16 kHz, a multiple of 128, and gives the smoothed loudness.
    package mutating func handle(_ samples: Span<Int16>) -> Float {
        var start = 0
        while start + Self.blockLength <= samples.count {
            var energy: Float = 0
            for index in start..<(start + Self.blockLength) {
                let weighted = highPass.filter(shelf.filter(Float(samples[index]) * (1 / 32_768)))
                energy += weighted * weighted
            }
            energies[nextBlock] = energy
            nextBlock = (nextBlock + 1) % Self.blocks
            start += Self.blockLength
        }
        // Not `reduce`, which allocates in unoptimised code.
        var total: Float = 0
        for index in energies.indices { total += energies[index] }
        let mean = total / Float(Self.blocks * Self.blockLength)
        let units = mean > 0 ? -0.691 + 10 * log10(mean) : -110
        loudness += Self.step * (min(1, max(0, (units + 110) / 100)) - loudness)
        return loudness
    }
}

/// A second-order filter at 16 kHz, its coefficients by the usual bilinear designs (R. Bristow-Johnson's cookbook).
private struct Biquad: Sendable {
    private let b0, b1, b2, a1, a2: Float
    private var state1: Float = 0
    private var state2: Float = 0

    private init(_ b: (Double, Double, Double), _ a: (Double, Double, Double)) {
        b0 = Float(b.0 / a.0)
        b1 = Float(b.1 / a.0)
        b2 = Float(b.2 / a.0)
        a1 = Float(a.1 / a.0)
        a2 = Float(a.2 / a.0)
    }

    static func highShelf(gain: Double, q: Double, frequency: Double) -> Biquad {
        let a = pow(10, gain / 40)
        let (cosine, alpha) = angle(q: q, frequency: frequency)
        let root = 2 * a.squareRoot() * alpha
        return Biquad(
            (
                a * ((a + 1) + (a - 1) * cosine + root), -2 * a * ((a - 1) + (a + 1) * cosine),
                a * ((a + 1) + (a - 1) * cosine - root)
            ),
            ((a + 1) - (a - 1) * cosine + root, 2 * ((a - 1) - (a + 1) * cosine), (a + 1) - (a - 1) * cosine - root))
    }

    static func highPass(q: Double, frequency: Double) -> Biquad {
        let (cosine, alpha) = angle(q: q, frequency: frequency)
        return Biquad(((1 + cosine) / 2, -(1 + cosine), (1 + cosine) / 2), (1 + alpha, -2 * cosine, 1 - alpha))
    }

    private static func angle(q: Double, frequency: Double) -> (cosine: Double, alpha: Double) {
        let omega = 2 * Double.pi * frequency / 16_000
        return (cos(omega), sin(omega) / (2 * q))
    }

    mutating func filter(_ sample: Float) -> Float {
        let result = b0 * sample + state1
        state1 = b1 * sample - a1 * result + state2
        state2 = b2 * sample - a2 * result
        return result
    }
}
