import NIOCore
import PipecatBackend
import Testing

@Suite struct PipecatFrameTests {
    @Test func anAudioFrameSurvivesTheWire() throws {
        let samples: [Int16] = [0, 1, -1, .max, .min, 300]
        var out = ByteBuffer()
        PipecatFrame.encodeAudio(samples.span, sampleRate: 16_000, id: 300, into: &out)
        guard case .audio(let bytes, let rate, let channels) = try PipecatFrame.decode(out) else {
            Issue.record("not an audio frame")
            return
        }
        #expect(rate == 16_000)
        #expect(channels == 1)
        #expect(bytes == ByteBuffer(bytes: [0, 0, 1, 0, 255, 255, 255, 127, 0, 128, 44, 1]))
    }

    @Test func anEmptyInterruptionIsTwoBytes() throws {
        var out = ByteBuffer()
        PipecatFrame.encodeInterruption(into: &out)
        #expect(Array(out.readableBytesView) == [0x2a, 0x00])
        #expect(try PipecatFrame.decode(out) == .interruption)
    }

    @Test func aMessageKeepsItsJSON() throws {
        let json = ByteBuffer(string: String(repeating: #"{"label":"rtvi-ai"}"#, count: 20))
        var out = ByteBuffer()
        PipecatFrame.encodeMessage(json, into: &out)
        #expect(try PipecatFrame.decode(out) == .message(json))
    }

    @Test func unknownKindsAndFieldsArePassedOver() throws {
        #expect(try PipecatFrame.decode(ByteBuffer(bytes: [0x7a, 0x01, 0x00])) == .unknown(field: 15))
        #expect(try PipecatFrame.decode(ByteBuffer(bytes: [0x0a, 0x05, 0x1a, 0x01, 0x61, 0x38, 0x07])) == .text("a"))
    }

    @Test(arguments: [[], [0x12], [0x12, 0x05, 0x1a], [0x12, 0xff, 0xff, 0xff, 0xff, 0x0f], [0x07], [0x12, 0x00]] as [[UInt8]])
    func malformedFramesAreErrors(_ bytes: [UInt8]) {
        #expect(throws: PipecatFrameError.self) { try PipecatFrame.decode(ByteBuffer(bytes: bytes)) }
    }

    @Test func garbageNeverTraps() {
        var state: UInt64 = 7
        for _ in 0..<20_000 {
            let bytes = (0..<32).map { _ -> UInt8 in
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return UInt8(truncatingIfNeeded: state >> 33)
            }
            _ = try? PipecatFrame.decode(ByteBuffer(bytes: bytes))
        }
    }
}
