public import NIOCore

extension ByteBuffer {
    /// Writes samples as little-endian PCM16, in one copy where that is the machine's own order.
    public mutating func writeLittleEndian(_ samples: Span<Int16>) {
        #if _endian(little)
            _ = samples.bytes.withUnsafeBytes { writeBytes($0) }
        #else
            for index in samples.indices { writeInteger(samples[index], endianness: .little) }
        #endif
    }
}
