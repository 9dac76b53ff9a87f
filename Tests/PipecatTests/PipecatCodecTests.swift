import BackendKit
import Foundation
import NIOCore
import PipecatBackend
import Testing

@Suite struct PipecatCodecTests {
    private func message(_ type: String, id: String? = "7", data: [String: Any] = [:]) -> ByteBuffer {
        var out = ByteBuffer()
        PipecatFrame.encodeMessage(RTVIMessage(type: type, id: id, data: data).encode(), into: &out)
        return out
    }

    private func decoded(_ message: WireMessage) throws -> RTVIMessage {
        guard case .message(let json) = try PipecatFrame.decode(message.bytes) else { throw PipecatFrameTestError() }
        return try RTVIMessage.decode(Data(json.readableBytesView))
    }
    private struct PipecatFrameTestError: Error {}

    @Test func theHandshakeIsAnsweredWithItsOwnID() throws {
        var codec = PipecatCodec()
        let incoming = codec.meaning(of: message("client-ready", id: "abc", data: ["version": "2.2.0"]), isText: false)
        guard case .input(.ready) = incoming else {
            Issue.record("not ready")
            return
        }
        let answers = try codec.encode(.ready).map(decoded)
        #expect(answers.map(\.type) == ["bot-ready"])
        #expect(answers.first?.id == "abc")
        #expect(answers.first?.data["version"] as? String == "2.2.0")
    }

    @Test func aClientWithoutRTVIGetsNoMessages() {
        var codec = PipecatCodec()
        #expect(codec.encode(.userStartedSpeaking).isEmpty)
    }

    @Test func anUnknownTypeGetsAnErrorResponse() throws {
        var codec = PipecatCodec()
        guard case .answer(let bytes) = codec.meaning(of: message("append-to-context"), isText: false) else {
            Issue.record("no answer")
            return
        }
        let answer = try decoded(bytes)
        #expect(answer.type == "error-response")
        #expect(answer.id == "7")
        #expect(answer.data["error"] as? String == "Unsupported type append-to-context")
    }

    @Test func textWhereBinaryIsDueIsAViolation() {
        var codec = PipecatCodec()
        guard case .violation(let reason) = codec.meaning(of: ByteBuffer(string: "{}"), isText: true) else {
            Issue.record("no violation")
            return
        }
        #expect(reason.contains("binary"))
    }

    @Test func malformedProtobufIsAViolationThatSaysWhatIsWrong() {
        var codec = PipecatCodec()
        guard case .violation(let reason) = codec.meaning(of: ByteBuffer(bytes: [0x12, 0x7f]), isText: false) else {
            Issue.record("no violation")
            return
        }
        #expect(reason.contains("malformed Pipecat frame"))
    }

    @Test func typedTextAndDigitsBecomeInputs() {
        var codec = PipecatCodec()
        guard case .input(.text("hi", interrupts: true, speak: true)) = codec.meaning(of: message("send-text", data: ["content": "hi"]), isText: false)
        else {
            Issue.record("no text")
            return
        }
        guard case .input(.dtmf("1#")) = codec.meaning(of: message("dtmf", data: ["buttons": ["1", "#"]]), isText: false) else {
            Issue.record("no digits")
            return
        }
    }

    @Test func anotherWorkerGoesOnWithTheSameClient() {
        var codec = PipecatCodec()
        _ = codec.meaning(of: message("client-ready", data: ["version": "1.2.0"]), isText: false)
        let other = PipecatCodec(handshake: codec.record.handshake)
        #expect(other.clientVersion == 1)
    }
}

extension ClientCodec {
    /// What a message means, the last of it where it means several things.
    mutating func meaning(of message: ByteBuffer, isText: Bool) -> ClientMessage? {
        var meaning: ClientMessage?
        decode(message, isText: isText) { meaning = $0 }
        return meaning
    }
}
