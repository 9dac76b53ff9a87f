#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Numbers of two signals that are transformed side by side: one register of every processor.
typealias Lanes = SIMD2<Double>

/// The discrete Fourier transform of two real signals of 400 samples at once, by a complex one of 200 points (Stockham's
/// order, radix 5, 5, 4 and 2). In double precision, because its reader is sensitive to the sixth digit: see
/// `LogMelExtractor`. Owns its buffers; not thread-safe.
@safe final class RealFourierTransform {
    static let length = 400
    /// Bins from 0 to half the sampling rate.
    static let bins = 201

    private static let points = 200
    private static let radices = [5, 5, 4, 2]

    private struct Stage {
        let radix: Int
        /// The points of each transform that is left after this stage.
        let rest: Int
        /// How many transforms run side by side.
        let stride: Int
        /// `radix - 1` factors for each of the `rest` points.
        let factors: [Factor]
    }

    private let stages: [Stage]
    /// The factors that part the two half-length transforms of the real signal.
    private let realFactors: [Factor]
    /// The samples: even ones as real parts, odd ones as imaginary parts. To be filled before each transform.
    let signal: UnsafeMutablePointer<Pair>
    private let scratch: UnsafeMutablePointer<Pair>

    init() {
        var stages: [Stage] = []
        var count = Self.points
        var stride = 1
        for radix in Self.radices {
            let rest = count / radix
            let factors = (0..<rest).flatMap { point in
                (1..<radix).map { Factor(turns: -Double(point * $0) / Double(count)) }
            }
            stages.append(Stage(radix: radix, rest: rest, stride: stride, factors: factors))
            count = rest
            stride *= radix
        }
        self.stages = stages
        realFactors = (0...(Self.points / 2)).map { Factor(turns: -Double($0) / Double(Self.length)) }
        unsafe signal = .allocate(capacity: Self.points)
        unsafe signal.initialize(repeating: Pair(.zero, .zero), count: Self.points)
        unsafe scratch = .allocate(capacity: Self.points)
        unsafe scratch.initialize(repeating: Pair(.zero, .zero), count: Self.points)
    }

    deinit {
        unsafe signal.deallocate()
        unsafe scratch.deallocate()
    }

    /// Transforms `signal`, which is lost, and writes the squared magnitude of the 201 bins.
    func power(into bins: UnsafeMutablePointer<Lanes>) {
        var source = unsafe signal
        var target = unsafe scratch
        for stage in stages {
            switch stage.radix {
            case 5: unsafe Self.radix5(stage, source, target)
            case 4: unsafe Self.radix4(stage, source, target)
            default: unsafe Self.radix2(stage, source, target)
            }
            unsafe swap(&source, &target)
        }
        unsafe separate(source, into: bins)
    }

    /// The spectrum of the real signal from that of its even and odd samples packed as one complex signal.
    private func separate(_ packed: UnsafeMutablePointer<Pair>, into bins: UnsafeMutablePointer<Lanes>) {
        for low in 0...(Self.points / 2) {
            let a = unsafe packed[low]
            let b = unsafe packed[(Self.points - low) % Self.points]
            let even = Pair((a.re + b.re) * 0.5, (a.im - b.im) * 0.5)
            let odd = Pair((a.im + b.im) * 0.5, (b.re - a.re) * 0.5) * realFactors[low]
            let first = even + odd
            let second = even - odd
            unsafe bins[low] = first.re * first.re + first.im * first.im
            unsafe bins[Self.points - low] = second.re * second.re + second.im * second.im
        }
    }

    private static func radix2(
        _ stage: Stage, _ source: UnsafeMutablePointer<Pair>, _ target: UnsafeMutablePointer<Pair>
    ) {
        for point in 0..<stage.rest {
            for index in 0..<stage.stride {
                let from = unsafe source + index + stage.stride * point
                let to = unsafe target + index + stage.stride * 2 * point
                let a = unsafe from[0]
                let b = unsafe from[stage.stride * stage.rest]
                unsafe to[0] = a + b
                unsafe to[stage.stride] = (a - b) * stage.factors[point]
            }
        }
    }

    private static func radix4(
        _ stage: Stage, _ source: UnsafeMutablePointer<Pair>, _ target: UnsafeMutablePointer<Pair>
    ) {
        let (step, apart) = (stage.stride * stage.rest, stage.stride)
        for point in 0..<stage.rest {
            let (f1, f2, f3) = (stage.factors[3 * point], stage.factors[3 * point + 1], stage.factors[3 * point + 2])
            for index in 0..<stage.stride {
                let from = unsafe source + index + stage.stride * point
                let to = unsafe target + index + stage.stride * 4 * point
                let (a0, a1) = unsafe (from[0], from[step])
                let (a2, a3) = unsafe (from[2 * step], from[3 * step])
                let (sum, difference) = (a0 + a2, a0 - a2)
                let (otherSum, turned) = (a1 + a3, (a1 - a3).turnedBack)
                unsafe to[0] = sum + otherSum
                unsafe to[apart] = (difference + turned) * f1
                unsafe to[2 * apart] = (sum - otherSum) * f2
                unsafe to[3 * apart] = (difference - turned) * f3
            }
        }
    }

    private static func radix5(
        _ stage: Stage, _ source: UnsafeMutablePointer<Pair>, _ target: UnsafeMutablePointer<Pair>
    ) {
        let (step, apart) = (stage.stride * stage.rest, stage.stride)
        // Cosine and sine of a fifth and of two fifths of a turn.
        let (c1, s1) = (0.309_016_994_374_947_4, 0.951_056_516_295_153_5)
        let (c2, s2) = (-0.809_016_994_374_947_4, 0.587_785_252_292_473_1)
        for point in 0..<stage.rest {
            let (f1, f2) = (stage.factors[4 * point], stage.factors[4 * point + 1])
            let (f3, f4) = (stage.factors[4 * point + 2], stage.factors[4 * point + 3])
            for index in 0..<stage.stride {
                let from = unsafe source + index + stage.stride * point
                let to = unsafe target + index + stage.stride * 5 * point
                let a0 = unsafe from[0]
                let (a1, a4) = unsafe (from[step], from[4 * step])
                let (a2, a3) = unsafe (from[2 * step], from[3 * step])
                let (sum1, sum2) = (a1 + a4, a2 + a3)
                let (difference1, difference2) = (a1 - a4, a2 - a3)
                let (even1, even2) = (a0 + sum1 * c1 + sum2 * c2, a0 + sum1 * c2 + sum2 * c1)
                let odd1 = (difference1 * s1 + difference2 * s2).turnedBack
                let odd2 = (difference1 * s2 - difference2 * s1).turnedBack
                unsafe to[0] = a0 + sum1 + sum2
                unsafe to[apart] = (even1 + odd1) * f1
                unsafe to[2 * apart] = (even2 + odd2) * f2
                unsafe to[3 * apart] = (even2 - odd2) * f3
                unsafe to[4 * apart] = (even1 - odd1) * f4
            }
        }
    }
}

/// A point on the unit circle.
struct Factor {
    let re: Double
    let im: Double

    init(turns: Double) {
        re = cos(2 * Double.pi * turns)
        im = sin(2 * Double.pi * turns)
    }
}

/// A complex number of each signal.
struct Pair {
    var re: Lanes
    var im: Lanes

    @inline(__always) init(_ re: Lanes, _ im: Lanes) {
        self.re = re
        self.im = im
    }

    /// Times -i.
    @inline(__always) var turnedBack: Pair { Pair(im, -re) }

    @inline(__always) static func + (a: Pair, b: Pair) -> Pair { Pair(a.re + b.re, a.im + b.im) }
    @inline(__always) static func - (a: Pair, b: Pair) -> Pair { Pair(a.re - b.re, a.im - b.im) }
    @inline(__always) static func * (a: Pair, b: Double) -> Pair { Pair(a.re * b, a.im * b) }
    @inline(__always) static func * (a: Pair, b: Factor) -> Pair {
        Pair(a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re)
    }
}
