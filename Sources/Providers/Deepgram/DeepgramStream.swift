import Audio
import Conversation
import NIOCore
import ProviderSupport
import WebSocket

/// One caller's stream into Deepgram, over as many connections as it takes. Confined to its event loop.
final class DeepgramStream: RecognitionStream, WebSocketHandler {
    /// Deepgram closes after 10 s without audio or a text frame, and asks for one every 3 to 5 s.
    private static let keepAlive = TimeAmount.seconds(4)
    /// A connection that lives shorter counts as a failure even though the handshake worked.
    private static let provenAfter = TimeAmount.seconds(5)
    /// Samples in one frame of the backlog; 250 ms.
    private static let backlogFrame = 4_000
    private static let usageEvery = 10.0

    private let provider: String
    private let request: WebSocketRequest
    private let client: WebSocketClient
    private let retry: ProviderRetry
    private let eventLoop: any EventLoop
    private var events: (@Sendable (RecognitionEvent) -> Void)?
    private var timeline = DeepgramTimeline()
    private var socket: WebSocket?
    private var failures = 0
    private var openedAt: NIODeadline?
    private var sentSinceKeepAlive = false
    private var wantsFinalize = false
    private var keepAliveTimer: Scheduled<Void>?
    private var retryTimer: Scheduled<Void>?

    init(
        provider: String, request: WebSocketRequest, client: WebSocketClient, retry: ProviderRetry,
        on eventLoop: any EventLoop,
        events: @escaping @Sendable (RecognitionEvent) -> Void
    ) {
        self.provider = provider
        self.request = request
        self.client = client
        self.retry = retry
        self.eventLoop = eventLoop
        self.events = events
        connect()
    }

    func send(_ samples: Span<Int16>) {
        guard events != nil else { return }
        timeline.append(samples)
        sendBacklog()
    }

    func finalize() {
        guard events != nil else { return }
        if let socket, socket.isOpen { socket.send(text: #"{"type":"Finalize"}"#) } else { wantsFinalize = true }
    }

    /// Deepgram has no grammars; keyterms are fixed when the stream is opened.
    func expect(_ hint: RecognitionHint?) {}

    func close() {
        events = nil
        keepAliveTimer?.cancel()
        retryTimer?.cancel()
        if let socket, socket.isOpen { socket.send(text: #"{"type":"CloseStream"}"#) }
        socket?.abandon()
        socket = nil
    }

    func opened(_ socket: WebSocket) {
        guard socket === self.socket else { return }
        openedAt = .now()
        timeline.connected()
        events?(.ready)
        sendBacklog()
        if wantsFinalize {
            wantsFinalize = false
            socket.send(text: #"{"type":"Finalize"}"#)
        }
        scheduleKeepAlive()
    }

    func received(text: ByteBuffer, on socket: WebSocket) {
        guard socket === self.socket else { return }
        do throws(ProviderError) {
            let message = try DeepgramMessage.decode(text, provider: provider)
            if case .error(let words) = message {
                return lost(ProviderError(.server, provider: provider, message: HTTPFailure.shorten(words)))
            }
            guard let event = timeline.event(message) else { return }
            failures = 0
            events?(event)
            if case .final = event, let seconds = timeline.usage(minimum: 0) { events?(.usage(audioSeconds: seconds)) }
        } catch { lost(error) }
    }

    func closed(_ socket: WebSocket, _ closure: WebSocketClosure) {
        guard socket === self.socket else { return }
        self.socket = nil
        lost(DeepgramErrors.closed(closure, provider: provider))
    }

    private func connect() {
        guard events != nil else { return }
        socket = client.connect(request, on: eventLoop, handler: self)
    }

    private func sendBacklog() {
        guard let socket, socket.isOpen else { return }
        while timeline.backlog > 0 {
            let length = min(timeline.backlog, Self.backlogFrame)
            let sent = socket.send(binaryCapacity: length * 2) { buffer in
                _ = timeline.take(limit: length) { buffer.writeLittleEndian($0) }
            }
            sentSinceKeepAlive = true
            guard sent else {
                // Twenty seconds wait to be written: this connection is dead, and its time would be wrong from here on.
                return lostLater(
                    ProviderError(.connectivity, provider: provider, message: "the connection does not take audio"))
            }
        }
        if let seconds = timeline.usage(minimum: Self.usageEvery) { usageLater(seconds) }
    }

    /// `send` may not deliver events itself.
    private func usageLater(_ seconds: Double) {
        eventLoop.assumeIsolated().execute { self.events?(.usage(audioSeconds: seconds)) }
    }

    private func lostLater(_ error: ProviderError) {
        let broken = socket
        eventLoop.assumeIsolated().execute {
            if let broken, broken === self.socket { self.lost(error) }
        }
    }

    private func lost(_ error: ProviderError) {
        socket?.abandon()
        socket = nil
        keepAliveTimer?.cancel()
        if let openedAt, openedAt + Self.provenAfter <= .now() { failures = 0 }
        openedAt = nil
        failures += 1
        guard let events else { return }
        guard let delay = retry.delay(after: error, failures: failures) else {
            self.events = nil
            return events(.failed(error))
        }
        retryTimer = eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Int64(delay))) { self.connect() }
    }

    private func scheduleKeepAlive() {
        keepAliveTimer = eventLoop.assumeIsolated().scheduleTask(in: Self.keepAlive) {
            guard let socket = self.socket, socket.isOpen else { return }
            if !self.sentSinceKeepAlive { socket.send(text: #"{"type":"KeepAlive"}"#) }
            self.sentSinceKeepAlive = false
            self.scheduleKeepAlive()
        }
    }
}
