/// The sample rates that are taken from outside.
package enum SampleRate {
    /// 4 kHz to 192 kHz: everything that telephony (8 kHz), browsers (44.1, 48 kHz) and studio files (96, 192 kHz) send, with
    /// one octave to spare below. A rate outside of it is a broken or hostile field, not audio.
    package static let allowed = 4_000...192_000

    /// Throws `unsupportedSampleRate`, naming value and range, for a rate outside of `allowed`.
    package static func check(_ rate: Int) throws(AudioError) {
        guard allowed.contains(rate) else {
            throw AudioError(
                .unsupportedSampleRate,
                "sample rate \(rate) Hz is not supported; send PCM16 at \(allowed.lowerBound) to \(allowed.upperBound) Hz"
            )
        }
    }
}
