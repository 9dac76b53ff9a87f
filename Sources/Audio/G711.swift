/// ITU-T G.711: 16-bit samples as 8-bit mu-law (North America, Japan; 14-bit resolution) or A-law (13-bit). Table-driven.
package enum G711 {
    /// The two companding laws.
    package enum Law: Sendable, Hashable, CaseIterable {
        case mu
        case a
    }

    /// The sample that `code` stands for.
    package static func decode(_ code: UInt8, _ law: Law) -> Int16 {
        switch law {
        case .mu: muDecoding[Int(code)]
        case .a: aDecoding[Int(code)]
        }
    }

    /// The code nearest to `sample`; loud mu-law samples clip at 8159 of 8191.
    package static func encode(_ sample: Int16, _ law: Law) -> UInt8 {
        switch law {
        case .mu: muEncoding[Int(UInt16(bitPattern: sample) >> 2)]
        case .a: aEncoding[Int(UInt16(bitPattern: sample) >> 3)]
        }
    }

    /// Appends the samples of `codes`, one byte each, to `output`.
    package static func decode(_ codes: RawSpan, _ law: Law, into output: inout SampleBuffer) {
        for offset in codes.byteOffsets {
            unsafe output.append(decode(codes.unsafeLoad(fromByteOffset: offset, as: UInt8.self), law))
        }
    }

    /// Appends a byte per sample to `output`.
    package static func encode(_ samples: Span<Int16>, _ law: Law, into output: inout [UInt8]) {
        for index in samples.indices {
            output.append(encode(samples[index], law))
        }
    }

    private static let muDecoding = (0...255).map { expandMu(UInt8($0)) }
    private static let aDecoding = (0...255).map { expandA(UInt8($0)) }
    /// By the upper 14 bits of a sample.
    private static let muEncoding = (0..<16_384).map { compressMu(Int16(truncatingIfNeeded: $0 << 2)) }
    /// By the upper 13 bits of a sample.
    private static let aEncoding = (0..<8_192).map { compressA(Int16(truncatingIfNeeded: $0 << 3)) }

    /// Codes are sent inverted: sign, three bits of exponent, four of mantissa; magnitudes carry a bias of 33.
    private static func expandMu(_ code: UInt8) -> Int16 {
        let bits = Int(~code)
        let magnitude = ((bits & 0x0F) << 1 | 33) << (bits >> 4 & 7) - 33
        return Int16((bits & 0x80 == 0 ? magnitude : -magnitude) * 4)
    }

    /// Negative magnitudes are ones' complements, as in ITU-T G.191's reference software.
    private static func compressMu(_ sample: Int16) -> UInt8 {
        let magnitude = min(Int(sample < 0 ? ~sample : sample) >> 2 + 33, 0x1FFF)
        let exponent = highestBit(magnitude) - 5
        let code = UInt8(exponent << 4 | magnitude >> (exponent + 1) & 0x0F)
        return ~(sample < 0 ? code | 0x80 : code)
    }

    /// Codes are sent with every other bit inverted (0x55); a set sign bit means positive.
    private static func expandA(_ code: UInt8) -> Int16 {
        let bits = Int(code ^ 0x55)
        let exponent = bits >> 4 & 7
        let mantissa = (bits & 0x0F) << 1 | 1
        let magnitude = exponent == 0 ? mantissa : (mantissa + 32) << (exponent - 1)
        return Int16((bits & 0x80 != 0 ? magnitude : -magnitude) * 8)
    }

    private static func compressA(_ sample: Int16) -> UInt8 {
        let magnitude = Int(sample < 0 ? ~sample : sample) >> 4
        let exponent = magnitude < 32 ? magnitude >> 4 : highestBit(magnitude) - 3
        let mantissa = exponent <= 1 ? magnitude & 0x0F : magnitude >> (exponent - 1) & 0x0F
        let code = UInt8(exponent << 4 | mantissa)
        return (sample < 0 ? code : code | 0x80) ^ 0x55
    }

    private static func highestBit(_ value: Int) -> Int {
        Int.bitWidth - 1 - value.leadingZeroBitCount
    }
}
