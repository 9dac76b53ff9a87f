#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// Decides by level alone whether a window could hold speech, so that the network need not look at silence.
///
/// It follows the noise floor and opens well below the level where speech would be understood, at once; it closes only after
/// a while without sound. A wrong opening costs a run of the network, a wrong closing would cost a word: every choice here
/// errs on the open side.
package struct EnergyGate: Sendable, Equatable {
    package struct Parameters: Sendable, Equatable {
        /// How far above the noise floor a window opens the gate, in dB.
        package var margin: Float = 6
        /// The level below which nothing opens it, in dBFS: ten steps of 16 bits, far under what the network takes for speech.
        package var silence: Float = -70
        /// How many windows it stays open after the last that was loud enough. With the context replayed at an opening
        /// it covers the pauses inside words.
        package var hangover = 8
        /// How fast the noise floor rises, in dB per window, while nobody speaks. 6 dB a second.
        package var rise: Float = 0.2
        /// What part of the way to a quieter window the floor falls at once.
        package var fall: Float = 0.3

        package init() {}
    }

    /// Samples of a block: 8 ms. The level of a window is that of its loudest block, so that an onset at a window's end counts.
    static let blockLength = 128
    /// Below this level (dBFS) a window is digital silence, which says nothing about the noise on the line.
    private static let digitalSilence: Float = -85

    package let parameters: Parameters
    /// The level of the background, in dBFS. It starts at the bottom: the gate is open until it has heard the line's noise.
    package private(set) var floor: Float
    private var windowsLeft = 0

    package init(_ parameters: Parameters = Parameters()) {
        self.parameters = parameters
        floor = parameters.silence
    }

    /// Takes the level (dBFS) of the next window and says whether the gate is open for it.
    ///
    /// While `speechIsLikely` (by the network's last word) the floor does not rise, so that long speech cannot close the gate.
    package mutating func isOpen(level: Float, speechIsLikely: Bool) -> Bool {
        let isLoud = level >= max(parameters.silence, floor + parameters.margin)
        windowsLeft = isLoud ? parameters.hangover : max(0, windowsLeft - 1)
        followNoise(level, speechIsLikely: speechIsLikely)
        return isLoud || windowsLeft > 0
    }

    private mutating func followNoise(_ level: Float, speechIsLikely: Bool) {
        guard level > Self.digitalSilence else { return }
        if level < floor {
            floor += parameters.fall * (level - floor)
        } else if !speechIsLikely {
            floor = min(level, floor + parameters.rise)
        }
    }

    /// The level of the loudest 8 ms of a window in dBFS (a full-scale square wave is 0), its mean taken out; -120 for silence.
    package static func level(of window: Span<Int16>) -> Float {
        var loudest: Float = 0
        var start = 0
        while start + blockLength <= window.count {
            var sum: Int32 = 0
            var squares: Int64 = 0
            for index in start..<(start + blockLength) {
                let sample = Int32(unsafe window[unchecked: index])
                sum &+= sample
                squares &+= Int64(sample &* sample)
            }
            let mean = Float(sum) / Float(blockLength)
            loudest = max(loudest, Float(squares) / Float(blockLength) - mean * mean)
            start += blockLength
        }
        return loudest > 0 ? max(-120, 10 * log10(loudest / (32_768 * 32_768))) : -120
    }
}
