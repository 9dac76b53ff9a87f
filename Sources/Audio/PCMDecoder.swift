/// Reads little-endian PCM16 and mixes it down to mono.
package enum PCMDecoder {
    /// The channel counts that are taken.
    package static let channels = 1...8

    /// Appends the mean of each frame of `channels` samples to `output`; returns how many bytes were whole frames.
    ///
    /// A partial frame at the end, e.g. an odd byte, is left to the caller. Throws `unsupportedChannelCount`.
    @discardableResult
    package static func decode(_ bytes: RawSpan, channels: Int, into output: inout SampleBuffer) throws(AudioError)
        -> Int
    {
        try check(channels: channels)
        let frames = bytes.byteCount / (2 * channels)
        #if _endian(little)
            if channels == 1 {
                unsafe output.append(adding: frames) { destination in
                    unsafe bytes.extracting(0..<frames * 2).withUnsafeBytes { source in
                        unsafe UnsafeMutableRawBufferPointer(destination).copyMemory(from: source)
                    }
                    return frames
                }
                return frames * 2
            }
        #endif
        unsafe output.append(adding: frames) { destination in
            for frame in 0..<frames {
                unsafe destination.initializeElement(at: frame, to: mean(bytes, frame: frame, channels: channels))
            }
            return frames
        }
        return frames * 2 * channels
    }

    static func check(channels: Int) throws(AudioError) {
        guard Self.channels.contains(channels) else {
            throw AudioError(
                .unsupportedChannelCount,
                "\(channels) channels are not supported; send \(Self.channels.lowerBound) to \(Self.channels.upperBound)"
            )
        }
    }

    private static func mean(_ bytes: RawSpan, frame: Int, channels: Int) -> Int16 {
        if channels == 1 { return sample(bytes, frame) }
        var sum: Int32 = 0
        for channel in 0..<channels {
            sum += Int32(sample(bytes, frame * channels + channel))
        }
        return Int16(clamping: sum / Int32(channels))
    }

    private static func sample(_ bytes: RawSpan, _ index: Int) -> Int16 {
        unsafe Int16(littleEndian: bytes.unsafeLoadUnaligned(fromByteOffset: index * 2, as: Int16.self))
    }
}
