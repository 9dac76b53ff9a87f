import NIOCore
import NIOWebSocket

/// Which end of the connection we are: clients mask what they send, servers insist on it.
package enum WebSocketRole: Sendable, Hashable { case client, server }

/// RFC 6455 after the handshake, without I/O: frames, close requests and clock ticks in, one action each out.
struct WebSocketStateMachine {
    /// What the owner has to do. `closeTransport` is always the last action.
    enum Action: Equatable {
        case none
        case deliverText(ByteBuffer)
        case deliverBinary(ByteBuffer)
        case sendPing
        case sendPong(ByteBuffer)
        /// Send a close frame and wait for the peer's until the close deadline.
        case sendClose(WebSocketClosure)
        /// Send a close frame (the echo of the peer's, or the reason for giving up), then close the transport.
        case sendCloseAndFinish(frame: WebSocketClosure, report: WebSocketClosure)
        /// The close handshake is complete, or will never be.
        case finish(WebSocketClosure)
    }

    private enum State: Equatable {
        case open
        /// We have sent a close frame.
        case closing(WebSocketClosure)
        case closed
    }

    private let role: WebSocketRole
    private let maximumMessageBytes: Int
    private let silentIntervalsAllowed: Int
    private var state = State.open
    /// The message being reassembled and whether it is text.
    private var partial: (isText: Bool, data: ByteBuffer)?
    private var heardSinceTick = true
    private var silentIntervals = 0

    init(role: WebSocketRole, configuration: WebSocketConfiguration) {
        self.role = role
        maximumMessageBytes = configuration.maximumMessageBytes
        silentIntervalsAllowed = configuration.silentIntervalsAllowed
    }

    var isOpen: Bool { state == .open }

    mutating func received(_ frame: WebSocketFrame) -> Action {
        guard state != .closed else { return .none }
        heardSinceTick = true
        guard !frame.rsv1, !frame.rsv2, !frame.rsv3 else {
            return violation("reserved bit set although no extension was agreed")
        }
        guard (frame.maskKey != nil) == (role == .server) else {
            return violation(role == .server ? "client frames must be masked" : "server frames must not be masked")
        }
        switch frame.opcode {
        case .text, .binary: return started(frame)
        case .continuation: return continued(frame)
        case .ping: return state == .open ? .sendPong(frame.unmaskedData) : .none
        case .pong: return .none
        case .connectionClose: return peerClosed(frame.unmaskedData)
        default: return violation("unknown opcode")
        }
    }

    /// The owner wants to end the connection.
    mutating func close(_ closure: WebSocketClosure) -> Action {
        guard state == .open else { return .none }
        state = .closing(closure)
        partial = nil
        return .sendClose(closure)
    }

    /// The frame decoder gave up.
    mutating func undecodable(tooLong: Bool) -> Action {
        tooLong ? tooBig() : violation("malformed frame")
    }

    /// One ping interval has passed.
    mutating func tick() -> Action {
        guard state == .open else { return .none }
        if heardSinceTick {
            heardSinceTick = false
            silentIntervals = 0
            return .none
        }
        silentIntervals += 1
        guard silentIntervals >= silentIntervalsAllowed else { return .sendPing }
        return fail(
            WebSocketClosure(code: .goingAway, reason: "nothing received within the idle deadline"),
            WebSocketError(.idle, "nothing received within the idle deadline"))
    }

    /// The peer did not answer our close frame in time, or the transport is gone.
    mutating func transportEnded() -> Action {
        defer { state = .closed }
        switch state {
        case .closed: return .none
        case .closing(let closure): return .finish(closure)
        case .open:
            return .finish(
                WebSocketClosure(
                    code: .abnormal, reason: "connection lost",
                    error: WebSocketError(.connectionLost, "the connection ended without a close frame")))
        }
    }

    private mutating func started(_ frame: WebSocketFrame) -> Action {
        guard partial == nil else { return violation("a new message began inside a fragmented one") }
        guard frame.length <= maximumMessageBytes else { return tooBig() }
        let isText = frame.opcode == .text
        guard frame.fin else {
            partial = (isText, frame.unmaskedData)
            return .none
        }
        return deliver(frame.unmaskedData, isText: isText)
    }

    private mutating func continued(_ frame: WebSocketFrame) -> Action {
        guard var message = partial else { return violation("continuation without a message") }
        guard message.data.readableBytes + frame.length <= maximumMessageBytes else { return tooBig() }
        partial = nil  // so that appending does not copy
        var data = frame.unmaskedData
        message.data.writeBuffer(&data)
        guard frame.fin else {
            partial = message
            return .none
        }
        return deliver(message.data, isText: message.isText)
    }

    private mutating func deliver(_ data: ByteBuffer, isText: Bool) -> Action {
        guard state == .open else { return .none }
        guard isText else { return .deliverBinary(data) }
        return data.isValidUTF8
            ? .deliverText(data) : fail(.init(code: .invalidText, reason: "text is not valid UTF-8"))
    }

    private mutating func peerClosed(_ payload: ByteBuffer) -> Action {
        var payload = payload
        let closure: WebSocketClosure
        switch payload.readableBytes {
        case 0: closure = WebSocketClosure(code: .noStatus, reason: "")
        case 1: return violation("close frame of one byte")
        default:
            let code = WebSocketClosure.Code(rawValue: payload.readInteger() ?? 0)
            guard code.mayBeSent else { return violation("close code \(code.rawValue) is not allowed on the wire") }
            guard payload.isValidUTF8 else {
                return fail(.init(code: .invalidText, reason: "close reason is not valid UTF-8"))
            }
            closure = WebSocketClosure(code: code, reason: String(buffer: payload))
        }
        defer { state = .closed }
        if case .closing(let ours) = state { return .finish(ours) }
        return .sendCloseAndFinish(frame: WebSocketClosure(code: closure.code, reason: ""), report: closure)
    }

    private mutating func violation(_ reason: String) -> Action { fail(.init(code: .protocolError, reason: reason)) }

    private mutating func tooBig() -> Action {
        fail(.init(code: .tooBig, reason: "message longer than \(maximumMessageBytes) bytes"))
    }

    private mutating func fail(_ closure: WebSocketClosure, _ error: WebSocketError? = nil) -> Action {
        defer { state = .closed }
        switch state {
        case .closed: return .none
        case .closing(let ours): return .finish(ours)
        case .open:
            var report = closure
            report.isLocal = true
            report.error = error ?? WebSocketError(.protocolViolation, closure.reason)
            return .sendCloseAndFinish(frame: closure, report: report)
        }
    }
}

extension ByteBuffer {
    var isValidUTF8: Bool {
        withUnsafeReadableBytes { bytes in
            (try? UTF8Span(validating: bytes.bindMemory(to: UInt8.self).span)) != nil
        }
    }
}
