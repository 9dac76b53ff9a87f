package import NIOCore

/// What was wrong with bytes on a relay link.
package struct RelayError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Code: String, Sendable { case oversize, unknownType, truncated, badText, closed, timeout, refused, badTicket }
    package var code: Code
    package var message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }
    package var description: String { "relay link: \(code.rawValue): \(message)" }
}

/// The wire format of a relay link: `length: UInt32, type: UInt8, fields`, big-endian; `length` counts type and fields.
/// Texts and byte fields carry a UInt32 length, but the last byte field of a message runs to its end.
package enum RelayCodec {
    /// A longer frame closes the link: the largest message of a caller is 1 MiB, plus its header.
    package static let maximumFrame = (1 << 20) + 4_096
    /// Room for the header of a message with audio or a caller's bytes.
    static let frameRoom = 40

    /// Writes one message with its frame header.
    package static func encode(_ message: MessageToWorker, into out: inout ByteBuffer) {
        frame(&out) { out in
            switch message {
            case .attach(let attach): encode(attach, into: &out)
            case .caller(let number, let arrival, let text, let bytes):
                out.writeMultipleIntegers(UInt8(2), number, arrival, UInt8(text ? 1 : 0))
                out.writeImmutableBuffer(bytes)
            case .throttled(let on): out.writeMultipleIntegers(UInt8(3), UInt8(on ? 1 : 0))
            case .detached(let reason, let isFinal):
                out.writeMultipleIntegers(UInt8(4), UInt8(isFinal ? 1 : 0))
                out.writeText(reason)
            case .revoked(let fence): out.writeMultipleIntegers(UInt8(5), fence)
            case .taken(let samples): out.writeMultipleIntegers(UInt8(7), samples)
            case .watch(let ticket):
                out.writeInteger(UInt8(6))
                out.writeText(ticket)
            }
        }
    }

    /// Writes one message with its frame header.
    package static func encode(_ message: MessageToRelay, into out: inout ByteBuffer) {
        frame(&out) { out in
            switch message {
            case .accepted(let fence): out.writeMultipleIntegers(UInt8(65), fence)
            case .refused(let code, let reason):
                out.writeMultipleIntegers(UInt8(66), code.rawValue)
                out.writeText(reason)
            case .agent(let fence, let reply, let first, let samples, let text, let bytes):
                out.writeMultipleIntegers(UInt8(67), fence, reply, first, samples, UInt8(text ? 1 : 0))
                out.writeImmutableBuffer(bytes)
            case .control(let fence, let text, let bytes):
                out.writeMultipleIntegers(UInt8(68), fence, UInt8(text ? 1 : 0))
                out.writeImmutableBuffer(bytes)
            case .clear(let fence, let reply, let sample): out.writeMultipleIntegers(UInt8(69), fence, reply, sample)
            case .release(let number): out.writeMultipleIntegers(UInt8(70), number)
            case .handover(let fence): out.writeMultipleIntegers(UInt8(71), fence)
            case .end(let code, let reason):
                out.writeMultipleIntegers(UInt8(72), code)
                out.writeText(reason)
            case .beat(let draining): out.writeMultipleIntegers(UInt8(73), UInt8(draining ? 1 : 0))
            case .adopt(let adoption): encode(adoption, into: &out)
            }
        }
    }

    /// Reads the fields of a frame (without its length).
    package static func decodeToWorker(_ body: inout ByteBuffer) throws(RelayError) -> MessageToWorker {
        switch try body.integer(UInt8.self) {
        case 1: return .attach(try decodeAttach(&body))
        case 2:
            let number = try body.integer(UInt64.self)
            let arrival = try body.integer(Int64.self)
            let text = try body.integer(UInt8.self) != 0
            return .caller(number: number, arrivalMicroseconds: arrival, text: text, bytes: body)
        case 3: return .throttled(try body.integer(UInt8.self) != 0)
        case 4:
            let isFinal = try body.integer(UInt8.self) != 0
            return .detached(reason: try body.text(), isFinal: isFinal)
        case 5: return .revoked(fence: try body.integer(UInt64.self))
        case 7: return .taken(samples: try body.integer(UInt64.self))
        case 6: return .watch(ticket: try body.text())
        case let type: throw RelayError(.unknownType, "message type \(type) is not known to this worker")
        }
    }

    /// Reads the fields of a frame (without its length).
    package static func decodeToRelay(_ body: inout ByteBuffer) throws(RelayError) -> MessageToRelay {
        switch try body.integer(UInt8.self) {
        case 65: return .accepted(fence: try body.integer(UInt64.self))
        case 66:
            let code = RelayRefusal(rawValue: try body.integer(UInt8.self)) ?? .incompatible
            return .refused(code: code, reason: try body.text())
        case 67:
            let fence = try body.integer(UInt64.self)
            let reply = try body.integer(UInt32.self)
            let first = try body.integer(Int64.self)
            let samples = try body.integer(UInt32.self)
            let text = try body.integer(UInt8.self) != 0
            return .agent(fence: fence, reply: reply, firstSample: first, samples: samples, text: text, bytes: body)
        case 68:
            let fence = try body.integer(UInt64.self)
            return .control(fence: fence, text: try body.integer(UInt8.self) != 0, bytes: body)
        case 69:
            let fence = try body.integer(UInt64.self)
            let reply = try body.integer(UInt32.self)
            return .clear(fence: fence, reply: reply, sample: try body.integer(Int64.self))
        case 70: return .release(number: try body.integer(UInt64.self))
        case 71: return .handover(fence: try body.integer(UInt64.self))
        case 72:
            let code = try body.integer(UInt16.self)
            return .end(code: code, reason: try body.text())
        case 73: return .beat(draining: try body.integer(UInt8.self) != 0)
        case 74: return .adopt(try decodeAdoption(&body))
        case let type: throw RelayError(.unknownType, "message type \(type) is not known to this dispatcher")
        }
    }

    private static func frame(_ out: inout ByteBuffer, _ body: (inout ByteBuffer) -> Void) {
        let start = out.writerIndex
        out.writeInteger(UInt32(0))
        body(&out)
        out.setInteger(UInt32(out.writerIndex - start - 4), at: start)
    }

    private static func encode(_ attach: RelayAttach, into out: inout ByteBuffer) {
        out.writeMultipleIntegers(UInt8(1), attach.version)
        for text in [attach.ticket, attach.session, attach.tenant, attach.attachment] { out.writeText(text) }
        out.writeInteger(attach.generation)
        for text in [attach.resumeToken, attach.backend] { out.writeText(text) }
        out.writeMultipleIntegers(attach.seenFence, attach.firstKept, attach.lastKept, UInt8(attach.isUrgent ? 1 : 0))
        out.writeMultipleIntegers(attach.deliveredReply, attach.deliveredSample)
        out.writeText(attach.reservation)
        out.writeInteger(attach.weight.bitPattern)
        out.writeText(attach.labels.sorted().joined(separator: ","))
        out.writeText(attach.reason)
    }

    private static func encode(_ adoption: RelayAdoption, into out: inout ByteBuffer) {
        out.writeInteger(UInt8(74))
        for text in [adoption.session, adoption.tenant, adoption.backend, adoption.attachment] { out.writeText(text) }
        out.writeMultipleIntegers(adoption.fence, adoption.generation, adoption.weight.bitPattern)
        out.writeText(adoption.labels.sorted().joined(separator: ","))
    }

    private static func decodeAdoption(_ body: inout ByteBuffer) throws(RelayError) -> RelayAdoption {
        let (session, tenant, backend, attachment) = (try body.text(), try body.text(), try body.text(), try body.text())
        return RelayAdoption(
            session: session, tenant: tenant, backend: backend, fence: try body.integer(UInt64.self), attachment: attachment,
            generation: try body.integer(UInt32.self), weight: Double(bitPattern: try body.integer(UInt64.self)), labels: try body.labels())
    }

    private static func decodeAttach(_ body: inout ByteBuffer) throws(RelayError) -> RelayAttach {
        let version = try body.integer(UInt16.self)
        var attach = RelayAttach(
            ticket: try body.text(), session: try body.text(), tenant: try body.text(), attachment: try body.text(),
            generation: try body.integer(UInt32.self), resumeToken: try body.text(), backend: try body.text(),
            seenFence: try body.integer(UInt64.self), firstKept: try body.integer(UInt64.self),
            lastKept: try body.integer(UInt64.self), isUrgent: try body.integer(UInt8.self) != 0,
            deliveredReply: try body.integer(UInt32.self), deliveredSample: try body.integer(Int64.self), reservation: try body.text(),
            weight: Double(bitPattern: try body.integer(UInt64.self)), labels: try body.labels(), reason: try body.text())
        attach.version = version
        return attach
    }
}

extension MessageToWorker {
    var payloadBytes: Int { if case .caller(_, _, _, let bytes) = self { bytes.readableBytes } else { 24 } }
}

extension MessageToRelay {
    var payloadBytes: Int {
        switch self {
        case .agent(_, _, _, _, _, let bytes), .control(_, _, let bytes): bytes.readableBytes
        default: 24
        }
    }
}

extension ByteBuffer {
    fileprivate mutating func writeText(_ text: String) { writeField(ByteBuffer(string: text)) }

    fileprivate mutating func writeField(_ bytes: ByteBuffer) {
        writeInteger(UInt32(bytes.readableBytes))
        writeImmutableBuffer(bytes)
    }

    fileprivate mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type) throws(RelayError) -> Value {
        guard let value = readInteger(as: type) else { throw RelayError(.truncated, "a message ends within a \(type)") }
        return value
    }

    fileprivate mutating func field() throws(RelayError) -> ByteBuffer {
        let length = try integer(UInt32.self)
        guard let bytes = readSlice(length: Int(length)) else {
            throw RelayError(.truncated, "a field of \(length) bytes has only \(readableBytes)")
        }
        return bytes
    }

    fileprivate mutating func labels() throws(RelayError) -> Set<String> { Set(try text().split(separator: ",").map(String.init)) }

    fileprivate mutating func text() throws(RelayError) -> String {
        let bytes = try field()
        guard let text = String(validating: bytes.readableBytesView, as: UTF8.self) else {
            throw RelayError(.badText, "a text field is not UTF-8")
        }
        return text
    }
}
