/// Opus packets out of a file as browsers record it, in WebM or in Ogg (RFC 7845).
///
/// Pure, and safe with any bytes: it never reads beyond them, and takes memory in proportion to them.
package struct OpusRecording: Sendable {
    /// Packets that are taken at most: two minutes of the shortest ones.
    static let mostPackets = 48_000
    /// The sample rate in which positions of Opus files count, whatever the rate of the microphone was.
    private static let clockRate = 48_000

    private let bytes: [UInt8]
    private let packets: [Range<Int>]
    /// Samples of the first packets that are no sound yet, at 48 kHz.
    private let preSkip: Int

    init(bytes: [UInt8], packets: [Range<Int>], head: OpusHead) {
        self.bytes = bytes
        self.packets = packets
        self.preSkip = head.preSkip
    }

    /// Whether the bytes begin as a file does that is read here.
    package static func begins(_ bytes: some Collection<UInt8>) -> Bool { bytes.starts(with: WebMReader.magic) || bytes.starts(with: OggReader.magic) }

    /// Reads a whole file; of one that is cut off, what is there.
    ///
    /// Throws `malformed`, or `unsupportedEncoding` for a file with other audio.
    package init(_ file: [UInt8]) throws(AudioError) {
        if file.starts(with: WebMReader.magic) {
            self = try WebMReader.read(file)
        } else if file.starts(with: OggReader.magic) {
            self = try OggReader.read(file)
        } else {
            throw AudioError(.unsupportedEncoding, "neither WebM nor Ogg; record with audio/webm;codecs=opus or audio/ogg;codecs=opus")
        }
    }

    package var packetCount: Int { packets.count }

    /// The sound as mono, `longest` samples at most. Packets that are none are left out.
    ///
    /// Throws `unsupportedSampleRate`; `malformed` where there is no sound at all.
    package func decode(sampleRate: Int, atMost longest: Int) throws(AudioError) -> SampleBuffer {
        var decoder = try OpusDecoder(sampleRate: sampleRate)
        var samples = SampleBuffer()
        let skip = preSkip * sampleRate / Self.clockRate
        for packet in packets where samples.count < longest + skip {
            _ = unsafe try? decoder.decode(bytes.span.extracting(packet).bytes, into: &samples)
        }
        samples.removeFirst(skip)
        guard !samples.isEmpty else { throw AudioError(.malformed, "no sound in \(packets.count) packets of Opus") }
        if samples.count > longest { samples = SampleBuffer(Array(samples.samples.prefix(longest))) }
        return samples
    }
}

/// The first packet of an Ogg file, the private data of a WebM track: RFC 7845, section 5.1.
struct OpusHead {
    static let magic = Array("OpusHead".utf8)
    private static let size = 19

    let preSkip: Int

    init(_ bytes: ArraySlice<UInt8>) throws(AudioError) {
        guard bytes.count >= Self.size, bytes.starts(with: Self.magic) else { throw AudioError(.malformed, "Opus: the head is not one") }
        func byte(_ offset: Int) -> Int { Int(bytes[bytes.startIndex + offset]) }
        guard byte(8) < 16 else { throw AudioError(.unsupportedEncoding, "Opus: version \(byte(8)) of the head is not known") }
        guard byte(18) == 0 else { throw AudioError(.unsupportedEncoding, "Opus: more than two channels; record mono or stereo") }
        preSkip = byte(10) | byte(11) << 8
    }
}
