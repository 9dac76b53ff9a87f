package import Audio
import LocalProviders

/// A line of the caller as audio, cut to where it is audible, so that its first and last sample are the speech's.
package struct CallerSpeech: Sendable {
    package let text: String
    package let samples: [Int16]

    /// Synthesises a line. Blocking.
    package init(_ text: String, voice: String, speed: Double = 1) throws {
        let speech = try FliteEngine.shared.synthesise(text, voice: voice, speed: speed)
        self.init(text, samples: speech.samples)
    }

    package init(_ text: String, samples: [Int16]) {
        self.text = text
        let first = samples.firstIndex { abs(Int($0)) > 300 } ?? 0
        let last = samples.lastIndex { abs(Int($0)) > 300 } ?? max(0, samples.count - 1)
        self.samples = samples.isEmpty ? [] : Array(samples[first...last])
    }

    package var duration: SessionTime { SessionTime(samples: samples.count) }
}
