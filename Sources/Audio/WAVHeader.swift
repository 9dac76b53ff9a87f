/// The part of a RIFF/WAVE file in front of its samples.
///
/// Reads what is in the field: chunks in any order and of odd size, WAVE_FORMAT_EXTENSIBLE, sizes of 0 or 0xFFFFFFFF as
/// streaming writers leave them, data shorter than declared. Only PCM16 is taken.
package struct WAVHeader: Sendable, Hashable {
    /// Samples per second and channel.
    package var sampleRate: Int
    package var channels: Int
    /// Byte offset of the first sample.
    package var dataOffset: Int
    /// Bytes of samples that are really there.
    package var dataCount: Int

    private static let pcm = 1
    private static let extensible = 0xFFFE

    /// Four characters as a little-endian number: compared on every packet, so without strings.
    private enum Tag {
        static let riff = 0x4646_4952
        static let wave = 0x4556_4157
        static let format = 0x2074_6D66
        static let data = 0x6174_6164
    }

    /// The header at the start of `bytes`; nil if they do not begin with RIFF....WAVE.
    ///
    /// Throws `malformed` if there is no usable `fmt ` or `data` chunk, `unsupportedEncoding` for anything but PCM16.
    package static func parse(_ bytes: RawSpan) throws(AudioError) -> WAVHeader? {
        guard bytes.byteCount >= 12, integer(bytes, 0, width: 4) == Tag.riff, integer(bytes, 8, width: 4) == Tag.wave
        else { return nil }
        var format: (rate: Int, channels: Int)?
        var offset = 12
        while offset + 8 <= bytes.byteCount {
            let size = integer(bytes, offset + 4, width: 4)
            let body = offset + 8
            switch integer(bytes, offset, width: 4) {
            case Tag.format:
                format = try Self.format(bytes, body, size: size)
            case Tag.data:
                guard let format else { throw AudioError(.malformed, "WAV: the data chunk comes before the fmt chunk") }
                let rest = bytes.byteCount - body
                return WAVHeader(
                    sampleRate: format.rate, channels: format.channels, dataOffset: body,
                    dataCount: size == 0 ? rest : min(size, rest))
            default:
                break
            }
            offset = body + size + size % 2
        }
        throw AudioError(.malformed, "WAV: no data chunk in \(bytes.byteCount) bytes")
    }

    /// The 44 bytes in front of `dataCount` bytes of PCM16. Sizes beyond 4 GB are written as 0xFFFFFFFF: unknown.
    package static func encode(sampleRate: Int, channels: Int, dataCount: Int) -> [UInt8] {
        var header = [UInt8]()
        header.reserveCapacity(44)
        func append(_ value: Int, _ width: Int) {
            for byte in 0..<width { header.append(UInt8(truncatingIfNeeded: value >> (8 * byte))) }
        }
        header.append(contentsOf: "RIFF".utf8)
        append(min(dataCount + 36, 0xFFFF_FFFF), 4)
        header.append(contentsOf: "WAVEfmt ".utf8)
        append(16, 4)
        append(pcm, 2)
        append(channels, 2)
        append(sampleRate, 4)
        append(sampleRate * channels * 2, 4)
        append(channels * 2, 2)
        append(16, 2)
        header.append(contentsOf: "data".utf8)
        append(min(dataCount, 0xFFFF_FFFF), 4)
        return header
    }

    private static func format(_ bytes: RawSpan, _ body: Int, size: Int) throws(AudioError) -> (
        rate: Int, channels: Int
    ) {
        guard size >= 16, body + 16 <= bytes.byteCount else {
            throw AudioError(.malformed, "WAV: a fmt chunk of \(size) bytes, at least 16 are needed")
        }
        var encoding = integer(bytes, body, width: 2)
        if encoding == extensible, size >= 26, body + 26 <= bytes.byteCount {
            encoding = integer(bytes, body + 24, width: 2)
        }
        let bits = integer(bytes, body + 14, width: 2)
        guard encoding == pcm, bits == 16 else {
            throw AudioError(
                .unsupportedEncoding,
                "WAV: format \(encoding) with \(bits) bits per sample; only PCM (1) with 16 is read")
        }
        return (integer(bytes, body + 4, width: 4), integer(bytes, body + 2, width: 2))
    }

    private static func integer(_ bytes: RawSpan, _ offset: Int, width: Int) -> Int {
        var value = 0
        for byte in 0..<width {
            unsafe value |= Int(bytes.unsafeLoad(fromByteOffset: offset + byte, as: UInt8.self)) << (8 * byte)
        }
        return value
    }
}
