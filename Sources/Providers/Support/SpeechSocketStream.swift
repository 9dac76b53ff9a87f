package import Conversation
package import NIOCore
package import WebSocket

/// One session's voice over a vendor's speech socket: the connection is made when the voice is opened, so that it is warm when
/// the first sentence comes, and made again when it breaks. Confined to its event loop.
package final class SpeechSocketStream: SynthesisStream, WebSocketHandler {
    /// A connection that lives shorter counts as a failure even though the handshake worked.
    private static let provenAfter = TimeAmount.seconds(5)

    private let wire: any SpeechWire
    private let client: WebSocketClient
    private let eventLoop: any EventLoop
    private let retry: ProviderRetry
    /// Milliseconds from asking for a sentence (or from the one before it) to its first audio.
    private let firstByteMilliseconds: Int
    private var queue: SpeechQueue
    private var events: (@Sendable (SynthesisEvent) -> Void)?
    private var socket: WebSocket?
    private var failures = 0
    private var openedAt: NIODeadline?
    private var retryTimer: Scheduled<Void>?
    private var watchdog: Scheduled<Void>?
    private var watched: SentenceID?
    /// Events that a method call has caused; delivered after it.
    private var pending: [SynthesisEvent] = []
    /// Replies cancelled while events are being delivered: what is still in hand of them is dropped.
    private var dropped: Set<UInt32> = []
    private var depth = 0

    package init(
        _ wire: any SpeechWire, session: String, client: WebSocketClient, retry: ProviderRetry = .connection,
        firstByteMilliseconds: Int = 5_000, on eventLoop: any EventLoop,
        events: @escaping @Sendable (SynthesisEvent) -> Void
    ) {
        self.wire = wire
        self.client = client
        self.retry = retry
        self.firstByteMilliseconds = firstByteMilliseconds
        self.eventLoop = eventLoop
        self.events = events
        queue = SpeechQueue(
            wire, prefix: String(session.suffix(12)) + "-" + String(UInt32.random(in: 0 ... .max), radix: 36))
        connect()
    }

    package func speak(_ text: String, as sentence: SentenceID, last: Bool) {
        if socket == nil, retryTimer == nil, events != nil { connect() }
        later(queue.speak(text, as: sentence))
    }

    package func cancel(reply: UInt32) {
        // What waits to be delivered belongs to it as well.
        pending.removeAll { $0.reply == reply }
        if depth > 0 { dropped.insert(reply) }
        later(queue.cancel(reply: reply))
    }

    package func close() {
        events = nil
        pending = []
        retryTimer?.cancel()
        watchdog?.cancel()
        socket?.abandon()
        socket = nil
    }

    package func opened(_ socket: WebSocket) {
        guard socket === self.socket else { return }
        openedAt = .now()
        perform(queue.opened())
    }

    package func received(text: ByteBuffer, on socket: WebSocket) {
        guard socket === self.socket else { return }
        do throws(ProviderError) {
            for event in try wire.decode(text) {
                switch event {
                case .failed(nil, let error): return lost(error)
                case .audio: failures = 0
                default: break
                }
                perform(queue.received(event))
            }
        } catch { lost(error) }
    }

    package func closed(_ socket: WebSocket, _ closure: WebSocketClosure) {
        guard socket === self.socket else { return }
        self.socket = nil
        lost(wire.explain(closure))
    }

    private func connect() {
        retryTimer = nil
        guard events != nil else { return }
        socket = client.connect(wire.request, on: eventLoop, handler: self)
    }

    /// The connection is no good any more. Nothing to say: it is made again when there is, unless the vendor refused us.
    private func lost(_ error: ProviderError) {
        socket?.abandon()
        socket = nil
        perform(queue.lost(error))
        guard events != nil else { return }
        // A vendor that closes an idle connection after minutes has not failed.
        if let openedAt, openedAt + Self.provenAfter <= .now() { failures = 0 }
        openedAt = nil
        failures += 1
        guard let delay = retry.delay(after: error, failures: failures) else {
            perform(queue.gaveUp(error))
            events = nil
            return
        }
        retryTimer = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(delay))) { self.connect() }
    }

    /// Performs what a method call caused; its events are delivered after the call.
    private func later(_ actions: [SpeechQueue.Action]) {
        guard events != nil else { return }
        var emitted: [SynthesisEvent] = []
        for action in actions {
            if case .emit(let event) = action { emitted.append(event) } else { perform([action]) }
        }
        watch()
        guard !emitted.isEmpty else { return }
        let isScheduled = !pending.isEmpty
        pending += emitted
        guard !isScheduled else { return }
        eventLoop.assumeIsolated().execute { self.deliverPending() }
    }

    private func deliverPending() {
        while !pending.isEmpty, let events { events(pending.removeFirst()) }
    }

    private func perform(_ actions: [SpeechQueue.Action]) {
        depth += 1
        defer {
            depth -= 1
            if depth == 0 { dropped = [] }
        }
        for action in actions {
            switch action {
            case .send(let messages):
                for message in messages {
                    socket?.send(textCapacity: message.readableBytes) { $0.writeImmutableBuffer(message) }
                }
            case .emit(let event):
                deliverPending()
                if let reply = event.reply, dropped.contains(reply) { continue }
                events?(event)
            case .reconnect:
                socket?.abandon()
                perform(
                    queue.lost(
                        ProviderError(.cancelled, provider: wire.provider, message: "a new connection is needed")))
                connect()
            }
        }
        watch()
    }

    /// The sentence in front has a deadline for its first audio.
    private func watch() {
        guard let front = queue.front, !front.hasAudio, events != nil else {
            watchdog?.cancel()
            watched = nil
            return
        }
        guard watched != front.id else { return }
        watched = front.id
        watchdog?.cancel()
        watchdog = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(firstByteMilliseconds))) {
            self.watched = nil
            let text = "no audio within \(self.firstByteMilliseconds) ms"
            self.lost(ProviderError(.timeout, provider: self.wire.provider, message: text))
        }
    }
}

extension SynthesisEvent {
    /// The reply it belongs to; nil for the stream's own.
    fileprivate var reply: UInt32? {
        switch self {
        case .requested(let id), .audio(let id, _), .marks(let id, _), .finished(let id, _): id.reply
        case .failed(let id, _, _): id?.reply
        }
    }
}
