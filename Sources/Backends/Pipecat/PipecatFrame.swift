import BackendKit
package import NIOCore

/// A message of Pipecat's protobuf wire format (`frames.proto`, package `pipecat`): one frame per binary WebSocket message.
///
/// Read and written by hand because audio passes here fifty times a second for every caller: payloads are slices of the message,
/// nothing is copied and nothing is allocated.
package enum PipecatFrame: Sendable, Equatable {
    case text(String)
    /// PCM16 little-endian, interleaved; a RIFF header may precede it.
    case audio(ByteBuffer, sampleRate: UInt32, channels: UInt32)
    case transcription(text: String, user: String)
    /// JSON text; an RTVI message.
    case message(ByteBuffer)
    case interruption
    /// A kind that this version does not know.
    case unknown(field: UInt32)
}

/// Why bytes are not a Pipecat frame.
package struct PipecatFrameError: Error, Sendable, Hashable, CustomStringConvertible {
    package let message: String
    package var description: String { "malformed Pipecat frame: \(message)" }
}

extension PipecatFrame {
    /// Parses a whole message. Fields it does not know are passed over.
    package static func decode(_ message: ByteBuffer) throws(PipecatFrameError) -> PipecatFrame {
        var reader = ProtobufReader(message)
        var result: PipecatFrame?
        while let (field, value) = try reader.next() {
            guard case .bytes(var body) = value else {
                result = .unknown(field: field)
                continue
            }
            switch field {
            case 1: result = .text(try string(&body, field: 3))
            case 2: result = try audio(body)
            case 3: result = try transcription(body)
            case 4: result = .message(try bytes(body, field: 1))
            case 5: result = .interruption
            default: result = .unknown(field: field)
            }
        }
        guard let result else { throw PipecatFrameError(message: "it is empty") }
        return result
    }

    private static func audio(_ body: ByteBuffer) throws(PipecatFrameError) -> PipecatFrame {
        var reader = ProtobufReader(body)
        var audio = ByteBuffer()
        var rate: UInt32 = 0
        var channels: UInt32 = 0
        while let (field, value) = try reader.next() {
            switch (field, value) {
            case (3, .bytes(let bytes)): audio = bytes
            case (4, .varint(let value)): rate = UInt32(truncatingIfNeeded: min(value, UInt64(UInt32.max)))
            case (5, .varint(let value)): channels = UInt32(truncatingIfNeeded: min(value, UInt64(UInt32.max)))
            default: break
            }
        }
        guard rate > 0 else { throw PipecatFrameError(message: "an audio frame has no sample_rate") }
        return .audio(audio, sampleRate: rate, channels: max(channels, 1))
    }

    private static func transcription(_ body: ByteBuffer) throws(PipecatFrameError) -> PipecatFrame {
        var text = body
        var user = body
        return .transcription(text: try string(&text, field: 3), user: try string(&user, field: 4))
    }

    private static func bytes(_ body: ByteBuffer, field wanted: UInt32) throws(PipecatFrameError) -> ByteBuffer {
        var reader = ProtobufReader(body)
        var result = ByteBuffer()
        while let (field, value) = try reader.next() {
            if field == wanted, case .bytes(let bytes) = value { result = bytes }
        }
        return result
    }

    private static func string(_ body: inout ByteBuffer, field: UInt32) throws(PipecatFrameError) -> String {
        let value = try bytes(body, field: field)
        guard let text = String(validating: value.readableBytesView, as: UTF8.self) else {
            throw PipecatFrameError(message: "field \(field) is not UTF-8")
        }
        return text
    }
}

// MARK: Writing

extension PipecatFrame {
    /// Room for the header of an audio frame.
    package static let audioOverhead = 64

    /// Writes an audio frame: `samples` as PCM16 little-endian, mono. `id` counts the frames of a connection.
    package static func encodeAudio(_ samples: Span<Int16>, sampleRate: UInt32, id: UInt64, into out: inout ByteBuffer) {
        let payload = samples.count * 2
        let inner =
            varintField(1, id) + 2 + audioName.utf8.count + 1 + varintSize(UInt64(payload)) + payload
            + varintField(4, UInt64(sampleRate)) + varintField(5, 1)
        out.reserveCapacity(minimumWritableBytes: inner + 8)
        out.writeInteger(UInt8(0x12))
        writeVarint(UInt64(inner), &out)
        write(1, varint: id, &out)
        out.writeInteger(UInt8(0x12))
        writeVarint(UInt64(audioName.utf8.count), &out)
        out.writeString(audioName)
        out.writeInteger(UInt8(0x1a))
        writeVarint(UInt64(payload), &out)
        out.writeLittleEndian(samples)
        write(4, varint: UInt64(sampleRate), &out)
        write(5, varint: 1, &out)
    }

    /// Writes a message frame around JSON text.
    package static func encodeMessage(_ json: ByteBuffer, into out: inout ByteBuffer) {
        let inner = 1 + varintSize(UInt64(json.readableBytes)) + json.readableBytes
        out.writeInteger(UInt8(0x22))
        writeVarint(UInt64(inner), &out)
        out.writeInteger(UInt8(0x0a))
        writeVarint(UInt64(json.readableBytes), &out)
        out.writeImmutableBuffer(json)
    }

    /// Writes an interruption frame: the client flushes what it has not played.
    package static func encodeInterruption(into out: inout ByteBuffer) { out.writeMultipleIntegers(UInt8(0x2a), UInt8(0)) }

    /// Frames carry a name; clients show it, nothing depends on it.
    private static let audioName = "OutputAudioRawFrame"

    private static func varintField(_ field: UInt32, _ value: UInt64) -> Int { value == 0 ? 0 : 1 + varintSize(value) }

    private static func varintSize(_ value: UInt64) -> Int { max(1, (64 - value.leadingZeroBitCount + 6) / 7) }

    private static func write(_ field: UInt8, varint value: UInt64, _ out: inout ByteBuffer) {
        guard value != 0 else { return }
        out.writeInteger(field << 3)
        writeVarint(value, &out)
    }

    private static func writeVarint(_ value: UInt64, _ out: inout ByteBuffer) {
        var value = value
        while value >= 0x80 {
            out.writeInteger(UInt8(truncatingIfNeeded: value) | 0x80)
            value >>= 7
        }
        out.writeInteger(UInt8(value))
    }
}

/// Reads protobuf fields from a buffer; length-delimited values are slices of it.
struct ProtobufReader {
    enum Value {
        case varint(UInt64)
        case bytes(ByteBuffer)
        case fixed
    }

    private var buffer: ByteBuffer

    init(_ buffer: ByteBuffer) { self.buffer = buffer }

    /// The next field, or nil at the end.
    mutating func next() throws(PipecatFrameError) -> (UInt32, Value)? {
        guard buffer.readableBytes > 0 else { return nil }
        let tag = try varint()
        let field = tag >> 3
        guard field > 0, field <= 536_870_911 else { throw PipecatFrameError(message: "field number \(field) is not allowed") }
        switch tag & 7 {
        case 0: return (UInt32(field), .varint(try varint()))
        case 1: return (UInt32(field), try skip(8))
        case 2:
            let length = try varint()
            guard length <= UInt64(buffer.readableBytes), let bytes = buffer.readSlice(length: Int(length)) else {
                throw PipecatFrameError(message: "field \(field) says \(length) bytes, \(buffer.readableBytes) are left")
            }
            return (UInt32(field), .bytes(bytes))
        case 5: return (UInt32(field), try skip(4))
        case let type: throw PipecatFrameError(message: "wire type \(type) is not allowed")
        }
    }

    private mutating func skip(_ count: Int) throws(PipecatFrameError) -> Value {
        guard buffer.readSlice(length: count) != nil else { throw PipecatFrameError(message: "it ends within a number") }
        return .fixed
    }

    private mutating func varint() throws(PipecatFrameError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while shift < 64, let byte: UInt8 = buffer.readInteger() {
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
        throw PipecatFrameError(message: shift < 64 ? "it ends within a number" : "a number is longer than 64 bits")
    }
}
