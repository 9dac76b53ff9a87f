package import NIOCore

/// Cuts a byte stream into frames of `RelayCodec` and turns them into messages of one direction.
package struct RelayFrameDecoder<Message: Sendable>: NIOSingleStepByteToMessageDecoder {
    package typealias InboundOut = Message

    private let decodeBody: (inout ByteBuffer) throws(RelayError) -> Message

    package init(_ decodeBody: @escaping (inout ByteBuffer) throws(RelayError) -> Message) { self.decodeBody = decodeBody }

    package mutating func decode(buffer: inout ByteBuffer) throws -> Message? {
        guard let length: UInt32 = buffer.getInteger(at: buffer.readerIndex) else { return nil }
        guard length >= 1, Int(length) <= RelayCodec.maximumFrame else {
            throw RelayError(.oversize, "a frame of \(length) bytes; the limit is \(RelayCodec.maximumFrame)")
        }
        guard buffer.readableBytes >= 4 + Int(length) else { return nil }
        buffer.moveReaderIndex(forwardBy: 4)
        guard var body = buffer.readSlice(length: Int(length)) else { return nil }
        return try decodeBody(&body)
    }

    package mutating func decodeLast(buffer: inout ByteBuffer, seenEOF: Bool) throws -> Message? {
        try decode(buffer: &buffer)
    }
}
