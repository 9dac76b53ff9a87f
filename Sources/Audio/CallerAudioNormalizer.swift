/// Makes whatever PCM16 a caller sends 16 kHz mono.
///
/// Takes any rate of `SampleRate.allowed` and 1 to 8 channels (mixed down by their mean), both free to change between packets: a
/// change of rate starts a new resampler. A RIFF/WAVE header in front of the samples is stripped and its rate and
/// channels count, as Pipecat's client puts one on every packet. Allocates only while it is warming up and when the rate changes.
package struct CallerAudioNormalizer: ~Copyable, Sendable {
    /// How bytes that are no whole frame at the end of a piece are treated.
    package enum Framing: Sendable, Hashable {
        /// Every piece is a message of its own: they are dropped and counted, so that a stray byte spoils one message only.
        case packets
        /// Pieces are cuts of one byte stream, e.g. a chunked HTTP body: they are kept for the next piece, and only the first
        /// piece may have a header.
        case stream
    }

    package let framing: Framing
    /// Bytes dropped because they were no whole frame.
    package private(set) var droppedBytes = 0

    private var resampler: StreamResampler?
    private var mono = SampleBuffer()
    private var partial: [UInt8] = []
    private var isStarted = false
    private var header: WAVHeader?

    package init(framing: Framing = .packets) {
        self.framing = framing
    }

    /// Appends `bytes`, little-endian PCM16, to `output` as 16 kHz mono.
    ///
    /// Throws `unsupportedSampleRate` and `unsupportedChannelCount` naming value and range, `malformed` and
    /// `unsupportedEncoding` for bad WAV headers; the state is then as before, so that the next packet may be good.
    package mutating func normalize(
        _ bytes: RawSpan, sampleRate: Int, channels: Int, into output: inout SampleBuffer
    ) throws(AudioError) {
        var body = bytes
        if framing == .packets || !isStarted {
            header = try WAVHeader.parse(bytes)
            if let header { body = bytes.extracting(header.dataOffset..<header.dataOffset + header.dataCount) }
            isStarted = true
        }
        let channels = header?.channels ?? channels
        try PCMDecoder.check(channels: channels)
        // Taken out for the call, so that reading it does not exclude changing the rest.
        var mono = SampleBuffer()
        swap(&mono, &self.mono)
        defer { swap(&mono, &self.mono) }
        mono.removeAll()
        try decode(body, channels: channels, into: &mono)
        try resample(mono.samples.span, from: header?.sampleRate ?? sampleRate, into: &output)
    }

    /// Appends `samples`, mono at `sampleRate` (e.g. decoded G.711), to `output` at 16 kHz. Throws `unsupportedSampleRate`.
    package mutating func normalize(
        _ samples: Span<Int16>, sampleRate: Int, into output: inout SampleBuffer
    ) throws(AudioError) {
        try resample(samples, from: sampleRate, into: &output)
    }

    private mutating func decode(_ bytes: RawSpan, channels: Int, into mono: inout SampleBuffer) throws(AudioError) {
        var start = 0
        let frame = 2 * channels
        while !partial.isEmpty, partial.count < frame, start < bytes.byteCount {
            unsafe partial.append(bytes.unsafeLoad(fromByteOffset: start, as: UInt8.self))
            start += 1
        }
        if partial.count >= frame {
            try unsafe PCMDecoder.decode(partial.span.bytes, channels: channels, into: &mono)
            partial.removeAll(keepingCapacity: true)
        }
        let used = try PCMDecoder.decode(bytes.extracting(start..<bytes.byteCount), channels: channels, into: &mono)
        keepRest(bytes.extracting(start + used..<bytes.byteCount))
    }

    private mutating func keepRest(_ rest: RawSpan) {
        guard framing == .stream else {
            droppedBytes += rest.byteCount
            return
        }
        for offset in rest.byteOffsets {
            unsafe partial.append(rest.unsafeLoad(fromByteOffset: offset, as: UInt8.self))
        }
    }

    /// Makes the resampler anew when the rate changes; at 16 kHz it passes samples through.
    private mutating func resample(
        _ samples: Span<Int16>, from rate: Int, into output: inout SampleBuffer
    ) throws(AudioError) {
        if resampler?.inputRate != rate {
            resampler = try StreamResampler(from: rate, to: SessionTime.sampleRate)
        }
        try resampler?.process(samples, into: &output)
    }
}
