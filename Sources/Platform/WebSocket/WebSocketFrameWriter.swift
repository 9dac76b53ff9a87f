import NIOCore

/// Builds whole frames in one buffer: header, mask and payload, without a second allocation.
struct WebSocketFrameWriter {
    enum Opcode: UInt8 { case text = 1, binary = 2, close = 8, ping = 9, pong = 10 }

    /// Longest header: 2 bytes, 8 of length, 4 of mask.
    private static let headerRoom = 14

    let role: WebSocketRole
    let allocator: ByteBufferAllocator
    private var random = SystemRandomNumberGenerator()

    init(role: WebSocketRole, allocator: ByteBufferAllocator) {
        self.role = role
        self.allocator = allocator
    }

    /// `capacity` is a hint; `body` appends the payload and nothing else.
    mutating func frame(_ opcode: Opcode, capacity: Int, _ body: (inout ByteBuffer) -> Void) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: Self.headerRoom + capacity)
        buffer.moveWriterIndex(to: Self.headerRoom)
        buffer.moveReaderIndex(to: Self.headerRoom)
        body(&buffer)
        let length = buffer.readableBytes
        let masked = role == .client
        let extended = length < 126 ? 0 : length <= 0xFFFF ? 2 : 8
        let start = Self.headerRoom - 2 - extended - (masked ? 4 : 0)
        let maskBit: UInt8 = masked ? 0x80 : 0
        buffer.setInteger(0x80 | opcode.rawValue, at: start)
        switch extended {
        case 0: buffer.setInteger(maskBit | UInt8(length), at: start + 1)
        case 2:
            buffer.setInteger(maskBit | 126, at: start + 1)
            buffer.setInteger(UInt16(length), at: start + 2)
        default:
            buffer.setInteger(maskBit | 127, at: start + 1)
            buffer.setInteger(UInt64(length), at: start + 2)
        }
        if masked {
            let key = UInt32.random(in: .min ... .max, using: &random)
            buffer.setInteger(key, at: Self.headerRoom - 4)
            buffer.withUnsafeMutableReadableBytes { Self.mask($0, key: key.bigEndian) }
        }
        buffer.moveReaderIndex(to: start)
        return buffer
    }

    /// Eight bytes at a time; `key` as it lies in memory.
    private static func mask(_ bytes: UnsafeMutableRawBufferPointer, key: UInt32) {
        let wide = UInt64(key) << 32 | UInt64(key)
        var at = 0
        while at + 8 <= bytes.count {
            let value = bytes.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            bytes.storeBytes(of: value ^ wide, toByteOffset: at, as: UInt64.self)
            at += 8
        }
        while at < bytes.count {
            bytes[at] ^= UInt8(truncatingIfNeeded: key >> UInt32((at & 3) * 8))
            at += 1
        }
    }
}
