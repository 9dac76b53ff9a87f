#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Whisper's features of the last 8 s of audio: log-mel power, `[80, 800]`, as Smart Turn wants them.
///
/// Audio at 16 kHz is padded with zeros at its front, normalised to mean 0 and variance 1, cut into windows of 400 samples (periodic
/// Hann, every 160, centred, reflected at both ends), and its power weighted by the mel filters; then the logarithm to base 10, at
/// most 8 below the highest value, `(x + 4) / 4`.
///
/// Single and double precision are used where the published code uses them. The model is quantised to 8 bits, and a difference of
/// 1e-6 in its features can move its verdict by 0.1; this way the features agree to 1e-7 and the verdicts with them.
/// Owns its buffers (0.5 MB); not thread-safe.
@safe final class LogMelExtractor {
    /// 8 s.
    static let samples = 128_000
    static let frames = 800
    static let mels = MelFilters.count

    private static let hop = 160
    private static let half = RealFourierTransform.length / 2
    private static let lanes = Lanes.scalarCount

    private let transform = RealFourierTransform()
    private let filters = MelFilters()
    private let window: [Double]
    /// The normalised audio with half a window of its reflection at either end.
    private let padded: UnsafeMutablePointer<Float>
    private let power: UnsafeMutablePointer<Lanes>

    init() {
        window = (0..<RealFourierTransform.length).map {
            0.5 - 0.5 * cos(2 * Double.pi * Double($0) / Double(RealFourierTransform.length))
        }
        unsafe padded = .allocate(capacity: Self.samples + 2 * Self.half)
        unsafe padded.initialize(repeating: 0, count: Self.samples + 2 * Self.half)
        unsafe power = .allocate(capacity: RealFourierTransform.bins)
        unsafe power.initialize(repeating: .zero, count: RealFourierTransform.bins)
    }

    deinit {
        unsafe padded.deallocate()
        unsafe power.deallocate()
    }

    /// Writes the features of the last 8 s of `audio`, the frames of each mel band in a row.
    func extract(_ audio: Span<Int16>, into features: UnsafeMutableBufferPointer<Float>) {
        precondition(features.count == Self.mels * Self.frames, "features are [80, 800]")
        let recent = audio.extracting(last: Self.samples)
        normalize(recent)
        let equal = framesOfPadding(Self.samples - recent.count)
        var highest = Lanes(repeating: -.infinity)
        for first in stride(from: 0, to: Self.frames, by: Self.lanes) {
            if first > 0, first + Self.lanes <= equal {
                unsafe repeatFrame(first, features)
            } else {
                spectrum(first)
                unsafe weigh(first, features, &highest)
            }
        }
        unsafe scale(features, lowest: Float(highest.max() - 8))
    }

    /// How many frames at the front see nothing but padding, and are therefore all the same.
    private func framesOfPadding(_ padding: Int) -> Int {
        padding <= Self.half ? 0 : min(Self.frames, (padding - Self.half) / Self.hop + 1)
    }

    /// Fills `padded`. The statistics are those of the whole 8 s, zeros included.
    private func normalize(_ audio: Span<Int16>) {
        var sum: Int64 = 0
        var squares: Int64 = 0
        for index in audio.indices {
            let sample = Int32(unsafe audio[unchecked: index])
            sum &+= Int64(sample)
            squares &+= Int64(sample &* sample)
        }
        let mean = Double(sum) / Double(Self.samples) / 32_768
        let variance = Double(squares) / Double(Self.samples) / (32_768 * 32_768) - mean * mean
        let (centre, deviation) = (Float(mean), (max(0, Float(variance)) + 1e-7).squareRoot())
        let padding = Self.samples - audio.count
        let start = unsafe padded + Self.half
        for index in 0..<padding { unsafe start[index] = -centre / deviation }
        for index in audio.indices {
            let sample = Float(unsafe audio[unchecked: index]) * (1 / 32_768)
            unsafe start[padding + index] = (sample - centre) / deviation
        }
        let last = Self.samples - 1
        for distance in 1...Self.half {
            unsafe start[-distance] = unsafe start[distance]
            unsafe start[last + distance] = unsafe start[last - distance]
        }
    }

    /// The power of two frames.
    private func spectrum(_ first: Int) {
        let start = unsafe padded + first * Self.hop
        let signal = unsafe transform.signal
        for index in 0..<Self.half {
            unsafe signal[index] = unsafe Pair(
                gather(start + 2 * index) * window[2 * index], gather(start + 2 * index + 1) * window[2 * index + 1])
        }
        unsafe transform.power(into: power)
    }

    /// The same sample of two frames.
    @inline(__always) private func gather(_ sample: UnsafeMutablePointer<Float>) -> Lanes {
        unsafe Lanes(Double(sample[0]), Double(sample[Self.hop]))
    }

    /// The logarithm of the mel bands of two frames.
    private func weigh(_ first: Int, _ features: UnsafeMutableBufferPointer<Float>, _ highest: inout Lanes) {
        for band in 0..<Self.mels {
            let filter = filters.filters[band]
            var sum = Lanes.zero
            for index in filter.weights.indices {
                unsafe sum += power[filter.firstBin + index] * filter.weights[index]
            }
            let value = Self.logarithm(pointwiseMax(sum, Lanes(repeating: 1e-10)))
            highest = pointwiseMax(highest, value)
            let row = band * Self.frames + first
            for lane in 0..<Self.lanes { unsafe features[row + lane] = Float(value[lane]) }
        }
    }

    /// Copies the features of frame 0.
    private func repeatFrame(_ first: Int, _ features: UnsafeMutableBufferPointer<Float>) {
        for band in 0..<Self.mels {
            let row = band * Self.frames
            for lane in 0..<Self.lanes { unsafe features[row + first + lane] = unsafe features[row] }
        }
    }

    private func scale(_ features: UnsafeMutableBufferPointer<Float>, lowest: Float) {
        for index in features.indices {
            unsafe features[index] = (max(unsafe features[index], lowest) + 4) * 0.25
        }
    }

    /// The logarithm to base 10 of positive normal numbers, to about 1e-11: the exponent, and for the mantissa in
    /// [0.71, 1.41] the series of the inverse hyperbolic tangent.
    @inline(__always) private static func logarithm(_ value: Lanes) -> Lanes {
        let bits = unsafe unsafeBitCast(value, to: SIMD2<UInt64>.self)
        // The exponent's bits under those of 2^52 are the number 2^52 + exponent.
        let shifted = unsafe unsafeBitCast((bits &>> 52) | 0x4330_0000_0000_0000, to: Lanes.self)
        var exponent = shifted - (4_503_599_627_370_496 + 1_023)
        let digits = (bits & 0x000F_FFFF_FFFF_FFFF) | 0x3FF0_0000_0000_0000
        var mantissa = unsafe unsafeBitCast(digits, to: Lanes.self)
        let isLarge = mantissa .> 2.0.squareRoot()
        mantissa.replace(with: mantissa * 0.5, where: isLarge)
        exponent.replace(with: exponent + 1, where: isLarge)
        let t = (mantissa - 1) / (mantissa + 1)
        let t2 = t * t
        // By Horner's rule.
        var series = t2 * (1.0 / 11)
        series = (series + 1.0 / 9) * t2
        series = (series + 1.0 / 7) * t2
        series = (series + 1.0 / 5) * t2
        series = (series + 1.0 / 3) * t2
        let natural = (series + 1.0) * t * 2.0
        return exponent * 0.301_029_995_663_981_2 + natural * 0.434_294_481_903_251_8
    }
}
