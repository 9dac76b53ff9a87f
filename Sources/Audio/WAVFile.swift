/// PCM16 audio as a WAV file holds it.
package struct WAVFile: Sendable, Hashable {
    /// The largest file that is read into memory: three hours of 48 kHz stereo.
    package static let largest = 2 << 30

    /// Samples per second and channel.
    package var sampleRate: Int
    package var channels: Int
    /// Interleaved: one sample of each channel after the other. A partial frame at the end is left out on reading.
    package var samples: [Int16]

    package init(sampleRate: Int = SessionTime.sampleRate, channels: Int = 1, samples: [Int16]) {
        self.sampleRate = sampleRate
        self.channels = channels
        self.samples = samples
    }

    /// Reads `bytes`, tolerant of unknown chunks, odd sizes, WAVE_FORMAT_EXTENSIBLE and missing data at the end.
    ///
    /// Throws `malformed`, `unsupportedEncoding` (only PCM16 is read) or `unsupportedChannelCount`.
    package init(bytes: [UInt8]) throws(AudioError) {
        guard let header = try WAVHeader.parse(unsafe bytes.span.bytes) else {
            throw AudioError(.malformed, "not a WAV file: \(bytes.count) bytes that do not begin with RIFF....WAVE")
        }
        try PCMDecoder.check(channels: header.channels)
        try SampleRate.check(header.sampleRate)
        let whole = header.dataCount - header.dataCount % (2 * header.channels)
        var buffer = SampleBuffer()
        let data = unsafe bytes.span.bytes.extracting(header.dataOffset..<header.dataOffset + whole)
        try PCMDecoder.decode(data, channels: 1, into: &buffer)
        self.init(sampleRate: header.sampleRate, channels: header.channels, samples: buffer.samples)
    }

    /// Reads the file at `path`. Blocking. Throws as `init(bytes:)`, and `fileFailed` or `tooLarge`.
    package init(path: String) throws(AudioError) {
        let bytes = try RandomAccessFile(path: path, mode: .read).readAll(limit: Self.largest)
        do {
            try self.init(bytes: bytes)
        } catch {
            throw AudioError(error.code, "\(path): \(error.message)", cause: error.cause)
        }
    }

    /// The length of the audio.
    package var duration: Duration {
        .nanoseconds(Int64(samples.count / max(1, channels)) * 1_000_000_000 / Int64(max(1, sampleRate)))
    }

    /// The file's bytes.
    package var bytes: [UInt8] {
        var bytes = WAVHeader.encode(sampleRate: sampleRate, channels: channels, dataCount: samples.count * 2)
        bytes.reserveCapacity(bytes.count + samples.count * 2)
        for sample in samples {
            bytes.append(UInt8(truncatingIfNeeded: sample))
            bytes.append(UInt8(truncatingIfNeeded: sample >> 8))
        }
        return bytes
    }

    /// Writes the file at `path`, replacing what is there. Blocking. Throws `fileFailed`.
    package func write(to path: String) throws(AudioError) {
        try RandomAccessFile(path: path, mode: .replace).write(bytes, at: 0)
    }

    /// The samples of one channel.
    package func channel(_ index: Int) -> [Int16] {
        stride(from: index, to: samples.count, by: channels).map { samples[$0] }
    }

    /// All channels mixed down, at 16 kHz.
    package func sessionSamples() throws(AudioError) -> [Int16] {
        let mono =
            channels == 1
            ? samples
            : stride(from: 0, to: samples.count, by: channels).map { first in
                Int16(clamping: samples[first..<first + channels].reduce(0) { $0 + Int($1) } / channels)
            }
        return try resample(mono, from: sampleRate, to: SessionTime.sampleRate)
    }
}
