import Foundation
import NIOCore
import NIOPosix
import PipecatBackend
import Synchronization
import WebSocket
import WireCoding

/// A caller that sends exactly what a test wants and keeps what it is told.
final class WireCaller: Sendable {
    /// A message of the agent, as far as tests look at it.
    struct Told: Sendable {
        var type: String
        var id: String?
        /// `data.text` or `data.error`.
        var text: String
        /// `data.tool_call_id`.
        var call: String
        /// `data.function_name`.
        var function: String
        var isFatal: Bool
        /// With it the caller may come back; of `parley-resume` only.
        var token: String?
    }

    /// What messages and audio travel in.
    enum Framing: Sendable { case protobuf, json }

    struct Heard: Sendable {
        var isOpen = false
        var told: [Told] = []
        /// Samples of agent audio.
        var samples = 0
        var closure: WebSocketClosure?
    }

    private let eventLoop: any EventLoop
    private let framing: Framing
    private let heard = Mutex(Heard())
    /// What is still to be said, and the packets that have been sent.
    private let mouth = Mutex((rest: [Int16](), sent: Int64(0)))
    private let socket = Mutex<NIOLoopBound<WebSocket>?>(nil)

    /// Starts to connect.
    init(
        _ request: WebSocketRequest, framing: Framing = .protobuf,
        on eventLoop: any EventLoop = MultiThreadedEventLoopGroup.singleton.next()
    ) {
        self.eventLoop = eventLoop
        self.framing = framing
        eventLoop.execute {
            // Bigger messages than the service takes can be sent; nobody pings, so that a test alone decides what is sent.
            let configuration = WebSocketConfiguration(
                maximumMessageBytes: 4 << 20, maximumPendingBytes: 16 << 20, pingInterval: .minutes(10),
                idleDeadline: .minutes(20))
            let opened = WebSocketClient().connect(
                request, configuration: configuration, on: eventLoop, handler: Ear(caller: self))
            self.socket.withLock { $0 = NIOLoopBound(opened, eventLoop: eventLoop) }
        }
    }

    convenience init(_ url: WebSocketURL, key: String? = nil, framing: Framing = .protobuf) {
        self.init(
            WebSocketRequest(
                url, headers: key.map { [("Authorization", "Bearer \($0)")] } ?? [], connectDeadline: .seconds(20)),
            framing: framing)
    }

    // MARK: Doing

    func send(binary bytes: ByteBuffer) { perform { $0.send(binary: bytes) } }
    func send(text: String) { perform { $0.send(text: text) } }
    func close() { perform { $0.close() } }
    /// Goes away without a word, as a crash would.
    func abort() { perform { $0.abort() } }
    /// Stops taking data from the connection, or goes on.
    func setReading(_ isReading: Bool) { perform { $0.setReading(isReading) } }

    func send(_ type: String, id: String? = nil, _ data: [String: Any] = [:]) {
        let json = RTVIMessage(type: type, id: id, data: data).encode()
        guard framing == .protobuf else { return send(text: String(buffer: json)) }
        var out = ByteBuffer()
        PipecatFrame.encodeMessage(json, into: &out)
        send(binary: out)
    }

    func ready() { send("client-ready", id: "ready", ["version": RTVIMessage.version, "about": ["library": "test"]]) }

    /// An audio frame of silence that claims a sample rate.
    func sendSilence(milliseconds: Int = 20, sampleRate: UInt32 = 16_000) {
        send(samples: [Int16](repeating: 0, count: milliseconds * 16), sampleRate: sampleRate)
    }

    private func send(samples: [Int16], sampleRate: UInt32 = 16_000) {
        var out = ByteBuffer()
        guard framing == .json else {
            PipecatFrame.encodeAudio(samples.span, sampleRate: sampleRate, id: 1, into: &out)
            return send(binary: out)
        }
        let audio = Base64.encode(samples.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8(truncatingIfNeeded: $0 >> 8)] })
        send("raw-audio", ["base64Audio": audio, "sampleRate": Int(sampleRate), "numChannels": 1])
    }

    /// Sends audio in real time from now on, as a caller does who listens: silence, but for what `say` is told.
    func keepListening() {
        let begin = NIODeadline.now()
        eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(20)) { task in
            if self.state.closure != nil { return task.cancel() }
            for samples in self.due(after: (NIODeadline.now() - begin).nanoseconds) { self.send(samples: samples) }
        }
    }

    /// Packets of 20 ms that are due so long after the first.
    private func due(after nanoseconds: Int64) -> [[Int16]] {
        let size = 320
        return mouth.withLock { mouth in
            var packets: [[Int16]] = []
            while mouth.sent * 20_000_000 <= nanoseconds {
                mouth.sent += 1
                let speech = Array(mouth.rest.prefix(size))
                mouth.rest.removeFirst(speech.count)
                packets.append(speech + [Int16](repeating: 0, count: size - speech.count))
            }
            return packets
        }
    }

    /// Says something after what is still being said; `keepListening` comes first.
    func say(_ samples: [Int16]) { mouth.withLock { $0.rest += samples } }

    private func perform(_ body: @escaping @Sendable (WebSocket) -> Void) {
        eventLoop.execute {
            guard let socket = self.socket.withLock({ $0 }) else { return }
            body(socket.value)
        }
    }

    // MARK: Hearing

    var state: Heard { heard.withLock { $0 } }
    func all(_ type: String) -> [Told] { state.told.filter { $0.type == type } }

    func opened() async throws { try await eventually("an open connection") { state.isOpen || state.closure != nil } }

    /// Waits for the `count`th message of a type.
    @discardableResult
    func message(_ type: String, _ count: Int = 1) async throws -> Told {
        try await eventually("\(count) \(type); told \(state.told.map(\.type)), \(String(describing: state.closure))") {
            all(type).count >= count || state.closure != nil
        }
        guard all(type).count >= count else {
            throw Unfulfilled(
                description: "closed before \(type): \(String(describing: state.closure)), told \(state.told)")
        }
        return all(type)[count - 1]
    }

    func closure() async throws -> WebSocketClosure {
        try await eventually("the end of the connection; told \(state.told)") { state.closure != nil }
        guard let closure = state.closure else { throw Unfulfilled(description: "no closure") }
        return closure
    }

    /// On the socket's loop; keeps the caller alive while the socket is.
    private final class Ear: WebSocketHandler {
        let caller: WireCaller
        init(caller: WireCaller) { self.caller = caller }

        func opened(_ socket: WebSocket) {
            // Two seconds of audio: the kernel would take minutes of it from a caller who does not read.
            socket.limitReceiveBuffer(bytes: 64 << 10)
            caller.heard.withLock { $0.isOpen = true }
        }

        func received(binary: ByteBuffer, on socket: WebSocket) {
            switch try? PipecatFrame.decode(binary) {
            case .audio(let bytes, _, _): caller.heard.withLock { $0.samples += bytes.readableBytes / 2 }
            case .message(let json): told(json)
            default: break
            }
        }

        func received(text: ByteBuffer, on socket: WebSocket) { told(text) }

        private func told(_ json: ByteBuffer) {
            guard let message = try? RTVIMessage.decode(Data(json.readableBytesView)) else { return }
            if message.type == "bot-tts-audio" {
                let characters = (message.data["audio"] as? String)?.utf8.count ?? 0
                return caller.heard.withLock { $0.samples += characters / 4 * 3 / 2 }
            }
            let text = message.data["text"] as? String ?? message.data["error"] as? String ?? ""
            let told = Told(
                type: message.type, id: message.id, text: text, call: message.data["tool_call_id"] as? String ?? "",
                function: message.data["function_name"] as? String ?? "", isFatal: message.data["fatal"] as? Bool ?? false,
                token: (message.data["d"] as? [String: Any])?["token"] as? String)
            caller.heard.withLock { $0.told.append(told) }
        }

        func closed(_ socket: WebSocket, _ closure: WebSocketClosure) { caller.heard.withLock { $0.closure = closure } }
    }
}
