import NIOCore
import NIOEmbedded
import RelayLink
import Testing

@Suite struct RelayCodecTests {
    static let toWorker: [MessageToWorker] = [
        .attach(
            RelayAttach(
                ticket: "t.s", session: "eu-00-20261121-x", tenant: "acme", attachment: "a1", generation: 2, resumeToken: "prt_1",
                backend: "pipecat", seenFence: 7, firstKept: 3, lastKept: 9, isUrgent: true,
                deliveredReply: 2, deliveredSample: 640, reservation: "r", weight: 0.05, reason: "takeover")),
        .caller(number: 9, arrivalMicroseconds: -5, text: true, bytes: ByteBuffer(string: "hello")),
        .caller(number: 10, arrivalMicroseconds: 5, text: false, bytes: ByteBuffer()),
        .throttled(true), .throttled(false), .detached(reason: "gone, ümlaut", isFinal: true), .revoked(fence: .max), .watch(ticket: "t.w"), .taken(samples: 1_600),
    ]
    static let toRelay: [MessageToRelay] = [
        .accepted(fence: 1), .refused(code: .full, reason: "full"),
        .agent(fence: 3, reply: 1, firstSample: 320, samples: 320, text: false, bytes: ByteBuffer(bytes: [1, 2, 3])),
        .control(fence: 3, text: true, bytes: ByteBuffer(string: "{}")), .clear(fence: 3, reply: 1, sample: 640), .release(number: 44), .handover(fence: 3), .end(code: 1000, reason: "completed"),
        .beat(draining: true),
    ]

    @Test(arguments: toWorker) func messagesToTheWorkerSurviveTheWire(_ message: MessageToWorker) throws {
        var buffer = ByteBuffer()
        RelayCodec.encode(message, into: &buffer)
        let length = buffer.readInteger(as: UInt32.self)
        #expect(length.map(Int.init) == buffer.readableBytes)
        #expect(try RelayCodec.decodeToWorker(&buffer) == message)
    }

    @Test(arguments: toRelay) func messagesToTheRelaySurviveTheWire(_ message: MessageToRelay) throws {
        var buffer = ByteBuffer()
        RelayCodec.encode(message, into: &buffer)
        buffer.moveReaderIndex(forwardBy: 4)
        #expect(try RelayCodec.decodeToRelay(&buffer) == message)
    }

    @Test(arguments: toWorker) func everyTruncationIsAnErrorOrAShorterPayload(_ message: MessageToWorker) {
        var buffer = ByteBuffer()
        RelayCodec.encode(message, into: &buffer)
        for length in 0..<(buffer.readableBytes - 4) {
            var cut = buffer.getSlice(at: 4, length: length) ?? ByteBuffer()
            do {
                #expect(try RelayCodec.decodeToWorker(&cut) != message)
            } catch {
                #expect([RelayError.Code.truncated, .unknownType].contains(error.code))
            }
        }
    }

    @Test func framesAreCutHoweverTheBytesArrive() throws {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(RelayFrameDecoder(RelayCodec.decodeToWorker)))
        var stream = ByteBuffer()
        for message in Self.toWorker { RelayCodec.encode(message, into: &stream) }
        while let byte = stream.readSlice(length: 1) { try channel.writeInbound(byte) }
        for message in Self.toWorker { #expect(try channel.readInbound(as: MessageToWorker.self) == message) }
        _ = try channel.finish()
    }

    @Test func anOversizeFrameIsRefusedBeforeItIsRead() throws {
        let channel = EmbeddedChannel()
        try channel.pipeline.syncOperations.addHandler(ByteToMessageHandler(RelayFrameDecoder(RelayCodec.decodeToWorker)))
        let header = ByteBuffer(integer: UInt32(RelayCodec.maximumFrame + 1))
        #expect(throws: RelayError.self) { try channel.writeInbound(header) }
    }

    @Test func garbageIsAnErrorAndNeverATrap() {
        var generator = SplitMix(state: 42)
        for _ in 0..<5_000 {
            var bytes = ByteBuffer(bytes: (0..<Int.random(in: 0...60, using: &generator)).map { _ in UInt8.random(in: 0...255, using: &generator) })
            var copy = bytes
            _ = try? RelayCodec.decodeToWorker(&bytes)
            _ = try? RelayCodec.decodeToRelay(&copy)
        }
    }
}

/// A seeded generator.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
