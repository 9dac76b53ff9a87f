package import NIOCore
import NIOWebSocket

/// One end of a WebSocket connection. Used on its event loop only.
package final class WebSocket {
    private enum State { case connecting, open, closing, closed }

    package let eventLoop: any EventLoop
    /// The subprotocol that the server chose.
    package private(set) var subprotocol: String?
    package private(set) var counters = WebSocketCounters()
    private let configuration: WebSocketConfiguration
    private let role: WebSocketRole
    private var state = State.connecting
    private var machine: WebSocketStateMachine
    private var writer: WebSocketFrameWriter
    private var handler: (any WebSocketHandler)?
    private var channel: (any Channel)?
    private var pingTimer: Scheduled<Void>?
    private var closeTimer: Scheduled<Void>?

    init(
        role: WebSocketRole, eventLoop: any EventLoop, configuration: WebSocketConfiguration,
        handler: any WebSocketHandler
    ) {
        self.eventLoop = eventLoop
        self.configuration = configuration
        self.role = role
        self.handler = handler
        machine = WebSocketStateMachine(role: role, configuration: configuration)
        writer = WebSocketFrameWriter(role: role, allocator: ByteBufferAllocator())
    }

    /// True between `opened` and the first close from either side.
    package var isOpen: Bool { state == .open }

    /// False while more bytes wait than the configuration's high mark.
    package var isWritable: Bool { state == .open && channel?.isWritable ?? false }

    /// Bytes written and not yet taken by the kernel (before TLS).
    package var pendingBytes: Int {
        guard let options = channel?.syncOptions else { return 0 }
        return (try? options.getOption(.bufferedWritableBytes)) ?? 0
    }

    /// The peer's address, for logs.
    package var remoteAddress: SocketAddress? { channel?.remoteAddress }

    /// Sends a text message; false when it was dropped (not open, or the pending bytes are at their bound).
    @discardableResult
    package func send(text: String) -> Bool {
        send(.text, capacity: text.utf8.count) { $0.writeString(text) }
    }

    /// Sends a text message written by `body`, which appends valid UTF-8 and nothing else.
    @discardableResult
    package func send(textCapacity capacity: Int, _ body: (inout ByteBuffer) -> Void) -> Bool {
        send(.text, capacity: capacity, body)
    }

    /// Sends a binary message; false when it was dropped.
    @discardableResult
    package func send(binary: ByteBuffer) -> Bool {
        send(.binary, capacity: binary.readableBytes) { $0.writeImmutableBuffer(binary) }
    }

    /// Sends a binary message that `body` writes straight into the frame; `capacity` in bytes is a hint.
    @discardableResult
    package func send(binaryCapacity capacity: Int, _ body: (inout ByteBuffer) -> Void) -> Bool {
        send(.binary, capacity: capacity, body)
    }

    /// Starts the close handshake. `closed` follows when the peer has answered or the close deadline is over; while connecting,
    /// at once. Harmless when already closing. A code that RFC 6455 does not allow on the wire is sent as 1000.
    package func close(_ code: WebSocketClosure.Code = .normal, reason: String = "") {
        eventLoop.preconditionInEventLoop()
        let closure = WebSocketClosure(code: code.mayBeSent ? code : .normal, reason: reason, isLocal: true)
        switch state {
        case .connecting:
            state = .closing
            channel?.close(promise: nil)
            eventLoop.assumeIsolated().execute { self.finished(closure) }
        case .open: perform(machine.close(closure))
        case .closing, .closed: break
        }
    }

    /// Closes and lets go of the handler: nothing is delivered any more.
    package func abandon(_ code: WebSocketClosure.Code = .normal, reason: String = "") {
        handler = nil
        close(code, reason: reason)
    }

    /// Closes the transport without a close frame, as a crash would; `closed` follows. For tests and simulators.
    package func abort() {
        eventLoop.preconditionInEventLoop()
        channel?.close(promise: nil)
    }

    /// Stops and restarts reading from the transport: back pressure on the peer. Pings are not answered while reading is stopped.
    package func setReading(_ enabled: Bool) {
        try? channel?.syncOptions?.setOption(.autoRead, value: enabled)
    }

    /// Keeps the kernel from taking more and more while nothing is read. For tests and simulators.
    package func limitReceiveBuffer(bytes: Int) {
        try? channel?.syncOptions?.setOption(.socketOption(.so_rcvbuf), value: ChannelOptions.Types.SocketOption.Value(bytes))
    }

    private func send(_ opcode: WebSocketFrameWriter.Opcode, capacity: Int, _ body: (inout ByteBuffer) -> Void) -> Bool
    {
        eventLoop.preconditionInEventLoop()
        guard state == .open, let channel, channel.isWritable || pendingBytes < configuration.maximumPendingBytes else {
            counters.messagesDropped += 1
            return false
        }
        let frame = writer.frame(opcode, capacity: capacity, body)
        counters.messagesOut += 1
        counters.bytesOut += frame.readableBytes
        channel.writeAndFlush(frame, promise: nil)
        return true
    }
}

// MARK: - What the channel tells us

extension WebSocket {
    /// The TCP connection exists; the handshake follows.
    func connected(_ channel: any Channel) {
        guard state == .connecting else { return channel.close(promise: nil) }
        self.channel = channel
    }

    /// The handshake is complete.
    func upgraded(_ channel: any Channel, subprotocol: String?) {
        guard state == .connecting else { return channel.close(promise: nil) }
        self.channel = channel
        self.subprotocol = subprotocol
        state = .open
        schedulePing()
        handler?.opened(self)
    }

    /// The connection could not be made.
    func failed(_ error: WebSocketError) {
        guard state == .connecting else { return }
        finished(WebSocketClosure(code: .abnormal, reason: error.message, isLocal: true, error: error))
    }

    func received(_ frame: WebSocketFrame) {
        switch machine.received(frame) {
        case .deliverText(let text):
            count(text)
            handler?.received(text: text, on: self)
        case .deliverBinary(let data):
            count(data)
            handler?.received(binary: data, on: self)
        case let action: perform(action)
        }
    }

    func undecodable(tooLong: Bool) { perform(machine.undecodable(tooLong: tooLong)) }

    func writabilityChanged() {
        if state == .open { handler?.writabilityChanged(self) }
    }

    func transportEnded() { perform(machine.transportEnded()) }

    private func count(_ data: ByteBuffer) {
        counters.messagesIn += 1
        counters.bytesIn += data.readableBytes
    }

    private func perform(_ action: WebSocketStateMachine.Action) {
        switch action {
        case .none, .deliverText, .deliverBinary: break
        case .sendPing: write(.ping) { _ in }
        case .sendPong(let data): write(.pong) { $0.writeImmutableBuffer(data) }
        case .sendClose(let closure):
            state = .closing
            write(.close, closure)
            closeTimer = eventLoop.assumeIsolated().scheduleTask(in: configuration.closeDeadline) {
                self.transportEnded()
            }
        case .sendCloseAndFinish(let frame, let report):
            if report.isLocal, state == .open { handler?.willFail(self, report) }
            write(.close, frame)
            finished(report, lingering: report.isLocal && role == .server)
        case .finish(let closure): finished(closure)
        }
    }

    private func write(_ opcode: WebSocketFrameWriter.Opcode, _ body: (inout ByteBuffer) -> Void) {
        guard let channel else { return }
        channel.writeAndFlush(writer.frame(opcode, capacity: 125, body), promise: nil)
    }

    private func write(_ opcode: WebSocketFrameWriter.Opcode, _ closure: WebSocketClosure) {
        write(opcode) { payload in
            guard closure.code.mayBeSent else { return }
            payload.writeInteger(closure.code.rawValue)
            payload.writeString(String(closure.wireReason))
        }
    }

    private func schedulePing() {
        pingTimer = eventLoop.assumeIsolated().scheduleTask(in: configuration.pingInterval) {
            guard self.state != .closed else { return }
            self.perform(self.machine.tick())
            if self.state == .open { self.schedulePing() }
        }
    }

    /// `lingering`: the peer may still be sending. To close now would reset the connection, and it might never read why.
    private func finished(_ closure: WebSocketClosure, lingering: Bool = false) {
        guard state != .closed else { return }
        state = .closed
        pingTimer?.cancel()
        closeTimer?.cancel()
        let (channel, handler) = (self.channel, self.handler)
        self.channel = nil
        self.handler = nil
        // After what was written: a close frame leaves before the transport does.
        channel?.close(mode: lingering ? .output : .all, promise: nil)
        if lingering, let channel {
            let deadline = eventLoop.scheduleTask(in: configuration.closeDeadline) { channel.close(promise: nil) }
            channel.closeFuture.whenComplete { _ in deadline.cancel() }
        }
        handler?.closed(self, closure)
    }
}
