/// Adds PCM16 signals with saturation: what does not fit is clipped at full scale, never wrapped around.
package enum AudioMixer {
    /// Adds `samples` times `gain` to `buffer` from sample `offset` on, extending it with silence where it is too short.
    ///
    /// - Parameters:
    ///   - offset: the sample of `buffer` where the first of `samples` lands; not negative.
    ///   - gain: linear; 1 leaves the level, 0.5 is -6 dB.
    package static func mix(
        _ samples: Span<Int16>, into buffer: inout SampleBuffer, at offset: Int = 0, gain: Float = 1
    ) {
        if buffer.count < offset + samples.count {
            buffer.appendSilence(offset + samples.count - buffer.count)
        }
        for index in samples.indices {
            let added = gain == 1 ? Int32(samples[index]) : Int32((Float(samples[index]) * gain).rounded())
            buffer[offset + index] = Int16(clamping: Int32(buffer[offset + index]) &+ added)
        }
    }
}
