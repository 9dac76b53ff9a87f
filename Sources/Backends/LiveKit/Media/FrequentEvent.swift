/// An event that comes all the time, read in place: to make a message of it would cost more than what is done with it.
enum FrequentEvent: Equatable {
    /// Audio of a caller. The samples are at `address` until the handle is let go of.
    case frame(Frame)
    /// A frame of the agent's audio was taken, or refused.
    case captured(number: UInt64)

    struct Frame: Equatable {
        var stream: UInt64 = 0
        var handle: UInt64 = 0
        var address: UInt64 = 0
        var channels: UInt64 = 0
        var sampleRate: UInt64 = 0
        var samplesPerChannel: UInt64 = 0
    }

    /// Nil for every other event, and for one that is not whole. Numbers of fields: Protos/livekit_ffi.proto.
    init?(_ bytes: Span<UInt8>) {
        var event = FieldCursor(0..<bytes.count)
        guard let field = event.next(in: bytes) else { return nil }
        switch field.number {
        case 4:
            guard let frame = Frame(bytes, field.body) else { return nil }
            self = .frame(frame)
        case 13:
            var answer = FieldCursor(field.body)
            guard let number = answer.next(in: bytes), number.number == 1 else { return nil }
            self = .captured(number: number.value)
        default: return nil
        }
    }
}

extension FrequentEvent.Frame {
    /// Reads an `AudioStreamEvent`.
    fileprivate init?(_ bytes: Span<UInt8>, _ body: Range<Int>) {
        var event = FieldCursor(body)
        while let field = event.next(in: bytes) {
            switch field.number {
            case 1: stream = field.value
            case 2: readFrame(bytes, field.body)
            default: break
            }
        }
        guard handle != 0 else { return nil }
    }

    /// Reads an `AudioFrameReceived`, which holds an `OwnedAudioFrame`.
    private mutating func readFrame(_ bytes: Span<UInt8>, _ body: Range<Int>) {
        var received = FieldCursor(body)
        guard let frame = received.next(in: bytes) else { return }
        var owned = FieldCursor(frame.body)
        while let field = owned.next(in: bytes) {
            var inner = FieldCursor(field.body)
            while let value = inner.next(in: bytes) {
                switch (field.number, value.number) {
                case (1, 1): handle = value.value
                case (2, 1): address = value.value
                case (2, 2): channels = value.value
                case (2, 3): sampleRate = value.value
                case (2, 4): samplesPerChannel = value.value
                default: break
                }
            }
        }
    }
}

/// Goes through the fields of a protobuf message in place.
struct FieldCursor {
    struct Field {
        var number: UInt64
        /// Of a number.
        var value: UInt64 = 0
        /// Of a message: where it is.
        var body = 0..<0
    }

    private var position: Int
    private let end: Int

    init(_ range: Range<Int>) {
        position = range.lowerBound
        end = range.upperBound
    }

    /// The next field; nil at the end, and where the bytes are no message.
    mutating func next(in bytes: Span<UInt8>) -> Field? {
        guard position < end, let tag = varint(in: bytes) else { return nil }
        let number = tag >> 3
        switch tag & 7 {
        case 0: return varint(in: bytes).map { Field(number: number, value: $0) }
        case 2:
            guard let length = varint(in: bytes), let body = skip(length) else { return nil }
            return Field(number: number, body: body)
        case 1: return skip(8).map { _ in Field(number: number) }
        case 5: return skip(4).map { _ in Field(number: number) }
        default: return nil
        }
    }

    private mutating func skip(_ length: UInt64) -> Range<Int>? {
        guard length <= UInt64(end - position) else { return nil }
        defer { position += Int(length) }
        return position..<position + Int(length)
    }

    private mutating func varint(in bytes: Span<UInt8>) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard position < end else { return nil }
            let byte = bytes[position]
            position += 1
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
