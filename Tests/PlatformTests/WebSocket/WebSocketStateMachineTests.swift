import NIOCore
import NIOWebSocket
import Testing

@testable import WebSocket

@Suite struct WebSocketStateMachineTests {
    private func machine(_ role: WebSocketRole = .client, maximum: Int = 1_000) -> WebSocketStateMachine {
        WebSocketStateMachine(
            role: role,
            configuration: WebSocketConfiguration(
                maximumMessageBytes: maximum, pingInterval: .seconds(10), idleDeadline: .seconds(30)))
    }

    private func frame(_ opcode: WebSocketOpcode, _ text: String, fin: Bool = true, mask: Bool = false)
        -> WebSocketFrame
    {
        var data = ByteBuffer(string: text)
        let key: WebSocketMaskingKey = [1, 2, 3, 4]
        if mask { data.webSocketMask(key) }
        return WebSocketFrame(fin: fin, opcode: opcode, maskKey: mask ? key : nil, data: data)
    }

    private func closeFrame(_ code: UInt16, _ reason: String = "") -> WebSocketFrame {
        var data = ByteBuffer(integer: code)
        data.writeString(reason)
        return WebSocketFrame(fin: true, opcode: .connectionClose, data: data)
    }

    private func failureCode(_ action: WebSocketStateMachine.Action) -> UInt16? {
        guard case .sendCloseAndFinish(let frame, _) = action else { return nil }
        return frame.code.rawValue
    }

    @Test func reassemblesFragmentsAroundControlFrames() {
        var machine = machine()
        #expect(machine.received(frame(.text, "Gru", fin: false)) == .none)
        #expect(machine.received(frame(.ping, "p")) == .sendPong(ByteBuffer(string: "p")))
        #expect(machine.received(frame(.continuation, "ezi", fin: false)) == .none)
        #expect(machine.received(frame(.continuation, "!")) == .deliverText(ByteBuffer(string: "Gruezi!")))
        #expect(machine.received(frame(.binary, "x")) == .deliverBinary(ByteBuffer(string: "x")))
    }

    @Test func boundsTheSumOfFragments() {
        var machine = machine(maximum: 4)
        #expect(machine.received(frame(.binary, "abc", fin: false)) == .none)
        #expect(failureCode(machine.received(frame(.continuation, "de"))) == 1009)
        #expect(machine.received(frame(.binary, "after")) == .none)
    }

    @Test func serverInsistsOnMasksAndClientOnNone() {
        var server = machine(.server)
        #expect(server.received(frame(.text, "ok", mask: true)) == .deliverText(ByteBuffer(string: "ok")))
        #expect(failureCode(server.received(frame(.text, "no"))) == 1002)
        var client = machine(.client)
        #expect(failureCode(client.received(frame(.text, "no", mask: true))) == 1002)
    }

    @Test func refusesInvalidTextEvenWhenCutInsideACharacter() {
        var machine1 = machine()
        let whole = Array("é".utf8)
        #expect(
            machine1.received(WebSocketFrame(fin: false, opcode: .text, data: ByteBuffer(bytes: whole[..<1]))) == .none)
        #expect(
            machine1.received(WebSocketFrame(fin: true, opcode: .continuation, data: ByteBuffer(bytes: whole[1...])))
                == .deliverText(ByteBuffer(string: "é")))
        #expect(
            failureCode(machine1.received(WebSocketFrame(fin: true, opcode: .text, data: ByteBuffer(bytes: [0xC3]))))
                == 1007)
    }

    @Test(arguments: [
        WebSocketOpcode.continuation, WebSocketOpcode(encodedWebSocketOpcode: 3)!,
        WebSocketOpcode(encodedWebSocketOpcode: 11)!,
    ])
    func refusesFramesOutOfPlace(opcode: WebSocketOpcode) {
        var machine = machine()
        #expect(failureCode(machine.received(frame(opcode, "x"))) == 1002)
    }

    @Test func refusesReservedBitsAndInterleavedMessages() {
        var first = machine()
        #expect(
            failureCode(first.received(WebSocketFrame(fin: true, rsv1: true, opcode: .text, data: ByteBuffer())))
                == 1002)
        var second = machine()
        _ = second.received(frame(.text, "a", fin: false))
        #expect(failureCode(second.received(frame(.text, "b"))) == 1002)
    }

    @Test func echoesThePeersCloseAndReportsItsReason() {
        var machine = machine()
        let action = machine.received(closeFrame(1008, "max_active_conversations"))
        #expect(
            action
                == .sendCloseAndFinish(
                    frame: WebSocketClosure(code: .policyViolation, reason: ""),
                    report: WebSocketClosure(code: .policyViolation, reason: "max_active_conversations")))
        #expect(machine.transportEnded() == .none)
    }

    @Test(arguments: [UInt16(0), 999, 1004, 1005, 1006, 1015, 2000, 5000])
    func refusesCloseCodesThatMayNotBeSent(code: UInt16) {
        var machine = machine()
        #expect(failureCode(machine.received(closeFrame(code))) == 1002)
    }

    @Test func localCloseEndsWithThePeersAnswerOrTheDeadline() {
        let ours = WebSocketClosure(code: .normal, reason: "done", isLocal: true)
        var answered = machine()
        #expect(answered.close(ours) == .sendClose(ours))
        #expect(answered.close(ours) == .none)
        #expect(answered.received(frame(.text, "late")) == .none)
        #expect(answered.received(closeFrame(1000)) == .finish(ours))
        var silent = machine()
        _ = silent.close(ours)
        #expect(silent.transportEnded() == .finish(ours))
    }

    @Test func pingsWhenSilentAndGivesUpAfterTheIdleDeadline() {
        var machine = machine()
        #expect(machine.tick() == .none)  // the handshake counted as a sign of life
        #expect(machine.tick() == .sendPing)
        _ = machine.received(frame(.pong, ""))
        #expect(machine.tick() == .none)
        #expect(machine.tick() == .sendPing)
        #expect(machine.tick() == .sendPing)
        guard case .sendCloseAndFinish(_, let report) = machine.tick() else { Issue.record("still open"); return }
        #expect(report.error?.code == .idle)
    }

    @Test func garbageEndsInAViolationAndNeverInATrap() {
        var random = SplitMix(state: 42)
        for _ in 0..<300 {
            var machine = machine(.server, maximum: 100)
            for _ in 0..<30 {
                let bytes = (0..<Int.random(in: 0...120, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
                let opcode = WebSocketOpcode(encodedWebSocketOpcode: UInt8.random(in: 0...15, using: &random))!
                let frame = WebSocketFrame(
                    fin: .random(using: &random), rsv1: Int.random(in: 0..<20, using: &random) == 0, opcode: opcode,
                    maskKey: [9, 8, 7, 6], data: ByteBuffer(bytes: bytes))
                if failureCode(machine.received(frame)) != nil { #expect(!machine.isOpen) }
            }
        }
    }
}

/// A seeded generator, so that a failing case comes back.
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
