package import NIOCore

/// RFC 4648 section 4. Foundation's works on `Data` and costs a copy each way; audio in JSON comes by the megabyte.
package enum Base64 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// The value of each character; 0xFF where there is none.
    private static let values: [UInt8] = {
        var table = [UInt8](repeating: 0xFF, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }()

    package static func encode(_ bytes: [UInt8]) -> String {
        bytes.withUnsafeBytes { encode($0) }
    }

    /// With padding.
    package static func encode(_ bytes: UnsafeRawBufferPointer) -> String {
        String(unsafeUninitializedCapacity: encodedCount(bytes.count)) { write(bytes, to: UnsafeMutableRawBufferPointer($0)) }
    }

    /// Appends `bytes` as base64 with padding.
    package static func encode(_ bytes: RawSpan, into buffer: inout ByteBuffer) {
        _ = bytes.withUnsafeBytes { bytes in
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: encodedCount(bytes.count)) { write(bytes, to: $0) }
        }
    }

    /// Characters that so many bytes become, padding included.
    package static func encodedCount(_ bytes: Int) -> Int { (bytes + 2) / 3 * 4 }

    private static func write(_ bytes: UnsafeRawBufferPointer, to out: UnsafeMutableRawBufferPointer) -> Int {
        alphabet.withUnsafeBufferPointer { alphabet in
            var at = 0
            for start in stride(from: 0, to: bytes.count, by: 3) {
                let left = bytes.count - start
                let second = left > 1 ? UInt32(bytes[start + 1]) : 0
                let third = left > 2 ? UInt32(bytes[start + 2]) : 0
                let group = UInt32(bytes[start]) << 16 | second << 8 | third
                out[at] = alphabet[Int(group >> 18)]
                out[at + 1] = alphabet[Int(group >> 12 & 63)]
                out[at + 2] = left > 1 ? alphabet[Int(group >> 6 & 63)] : UInt8(ascii: "=")
                out[at + 3] = left > 2 ? alphabet[Int(group & 63)] : UInt8(ascii: "=")
                at += 4
            }
            return at
        }
    }

    /// Decodes little-endian 16-bit samples; nil when the text is not base64. An odd last byte is dropped.
    package static func decodeSamples(_ text: Span<UInt8>) -> [Int16]? {
        let byteCount = decodedCount(text)
        var valid = true
        let samples = [Int16](unsafeUninitializedCapacity: (byteCount + 1) / 2) { out, count in
            let bytes = UnsafeMutableRawBufferPointer(out)
            valid = decode(text, into: bytes)
            count = byteCount / 2
        }
        return valid ? samples : nil
    }

    /// Nil when the text is not base64.
    package static func decode(_ text: Span<UInt8>) -> [UInt8]? {
        let byteCount = decodedCount(text)
        var valid = true
        let bytes = [UInt8](unsafeUninitializedCapacity: byteCount) { out, count in
            valid = decode(text, into: UnsafeMutableRawBufferPointer(out))
            count = byteCount
        }
        return valid ? bytes : nil
    }

    /// Appends the decoded bytes; false, and nothing appended, when the text is not base64.
    package static func decode(_ text: Span<UInt8>, into buffer: inout ByteBuffer) -> Bool {
        let count = decodedCount(text)
        var valid = true
        _ = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { out in
            valid = decode(text, into: out)
            return valid ? count : 0
        }
        return valid
    }

    private static func unpaddedCount(_ text: Span<UInt8>) -> Int {
        var count = text.count
        while count > 0, text.count - count < 2, text[count - 1] == UInt8(ascii: "=") { count -= 1 }
        return count
    }

    private static func decodedCount(_ text: Span<UInt8>) -> Int { unpaddedCount(text) * 3 / 4 }

    /// `out` has room for the decoded count.
    private static func decode(_ text: Span<UInt8>, into out: UnsafeMutableRawBufferPointer) -> Bool {
        let count = unpaddedCount(text)
        guard count % 4 != 1 else { return false }
        return values.withUnsafeBufferPointer { values in
            text.withUnsafeBufferPointer { text in
                var bad: UInt8 = 0
                var (read, write) = (0, 0)
                while read + 4 <= count {
                    let (a, b) = (values[Int(text[read])], values[Int(text[read + 1])])
                    let (c, d) = (values[Int(text[read + 2])], values[Int(text[read + 3])])
                    bad |= a | b | c | d
                    let group = UInt32(a) << 18 | UInt32(b) << 12 | UInt32(c) << 6 | UInt32(d)
                    out[write] = UInt8(truncatingIfNeeded: group >> 16)
                    out[write + 1] = UInt8(truncatingIfNeeded: group >> 8)
                    out[write + 2] = UInt8(truncatingIfNeeded: group)
                    read += 4
                    write += 3
                }
                if count - read >= 2 {
                    let (a, b) = (values[Int(text[read])], values[Int(text[read + 1])])
                    let c = count - read == 3 ? values[Int(text[read + 2])] : 0
                    bad |= a | b | c
                    out[write] = a << 2 | b >> 4
                    if count - read == 3 { out[write + 1] = b << 4 | c >> 2 }
                }
                return bad < 64
            }
        }
    }
}
