#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// The 80 triangular filters from 0 to 8 kHz over the 201 bins of a 400-point transform at 16 kHz, on Slaney's scale and with his
/// normalisation by width, as Whisper has them. Each filter keeps only its bins that are not zero.
struct MelFilters: Sendable {
    struct Filter: Sendable {
        let firstBin: Int
        let weights: [Double]
    }

    static let count = 80
    let filters: [Filter]

    init() {
        let top = Self.mel(8_000)
        let edges = (0..<(Self.count + 2)).map { Self.hertz(top * Double($0) / Double(Self.count + 1)) }
        filters = (0..<Self.count).map { Self.filter(left: edges[$0], centre: edges[$0 + 1], right: edges[$0 + 2]) }
    }

    private static func filter(left: Double, centre: Double, right: Double) -> Filter {
        let weights = (0..<RealFourierTransform.bins).map { bin in
            let frequency = 8_000 * Double(bin) / Double(RealFourierTransform.bins - 1)
            let slope = min((frequency - left) / (centre - left), (right - frequency) / (right - centre))
            return max(0, slope) * 2 / (right - left)
        }
        let first = weights.firstIndex { $0 > 0 } ?? 0
        let last = weights.lastIndex { $0 > 0 } ?? 0
        return Filter(firstBin: first, weights: Array(weights[first...last]))
    }

    /// Slaney's scale: linear to 1 kHz (15 mel), then 27 mel for each factor of 6.4.
    private static func mel(_ hertz: Double) -> Double {
        hertz < 1_000 ? 3 * hertz / 200 : 15 + log(hertz / 1_000) * 27 / log(6.4)
    }

    private static func hertz(_ mel: Double) -> Double {
        mel < 15 ? 200 * mel / 3 : 1_000 * exp((mel - 15) * log(6.4) / 27)
    }
}
