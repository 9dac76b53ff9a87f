import Foundation
import NIOCore
import PipecatBackend
import WebSocket

/// What a caller's connection tells its caller, on its event loop.
protocol CallerLinkDelegate: AnyObject {
    /// The WebSocket is open; `isReturn`: after it was lost.
    func linkOpened(isReturn: Bool)
    /// Agent audio as it came; `frame` is its number at its sender.
    func linkHeard(_ bytes: ByteBuffer, rate: Int, channels: Int, frame: UInt64)
    /// What is not played is not to be.
    func linkFlushed()
    func linkTold(_ message: RTVIMessage)
    func linkFailed(_ problem: String)
    /// The socket is gone and a new one is being made.
    func linkAway(_ closure: WebSocketClosure)
    /// The connection is over for good; nothing follows.
    func linkOver(_ closure: WebSocketClosure)
}

/// A caller's connection, which survives its socket where the server allows it: by the token of a `parley-resume`
/// message it connects again, to the next dispatcher. What is sent meanwhile is kept, audio at most 5 s of it, and sent
/// then. Confined to its event loop.
final class CallerLink: WebSocketHandler {
    /// Packets of 20 ms.
    private static let mostPackets = 250
    private static let mostMessages = 32

    private let requests: [WebSocketRequest]
    private let client: WebSocketClient
    private let eventLoop: any EventLoop
    private weak var delegate: (any CallerLinkDelegate)?
    private var plan: ReturnPlan
    private var socket: WebSocket?
    private var hasOpened = false
    private var isOver = false
    private var messages: [ByteBuffer] = []
    private var packets: [ByteBuffer] = []

    /// `requests`: the dispatchers, the first one for the first connection. They ask for `resumable` themselves.
    init(
        _ requests: [WebSocketRequest], client: WebSocketClient, eventLoop: any EventLoop,
        delegate: any CallerLinkDelegate
    ) {
        self.requests = requests
        self.client = client
        self.eventLoop = eventLoop
        self.delegate = delegate
        plan = ReturnPlan(targets: requests.count)
    }

    /// Whether the socket is open.
    var isOpen: Bool { socket?.isOpen ?? false }

    func connect() { connect(requests[0]) }

    func send(_ message: RTVIMessage) {
        var out = ByteBuffer()
        PipecatFrame.encodeMessage(message.encode(), into: &out)
        if isOpen { socket?.send(binary: out) } else if messages.count < Self.mostMessages { messages.append(out) }
    }

    func send(packet: ByteBuffer) {
        if isOpen { return _ = socket?.send(binary: packet) }
        guard hasOpened else { return }
        packets.append(packet)
        if packets.count > Self.mostPackets { packets.removeFirst() }
    }

    /// Closes the socket, or stops trying to get one.
    func close(reason: String) {
        guard !isOver else { return }
        if let socket, socket.isOpen { return socket.close(.normal, reason: reason) }
        over(WebSocketClosure(code: .normal, reason: reason, isLocal: true))
    }

    // MARK: Socket

    func opened(_ socket: WebSocket) {
        guard socket === self.socket else { return }
        let isReturn = hasOpened
        hasOpened = true
        delegate?.linkOpened(isReturn: isReturn)
        for message in messages + packets { socket.send(binary: message) }
        messages = []
        packets = []
    }

    func received(binary: ByteBuffer, on socket: WebSocket) {
        guard socket === self.socket else { return }
        guard let frame = try? PipecatFrame.decode(binary) else {
            delegate?.linkFailed("the agent sent a malformed frame")
            return
        }
        switch frame {
        case .audio(let bytes, let rate, let channels):
            plan.returned()
            delegate?.linkHeard(bytes, rate: Int(rate), channels: Int(channels), frame: AudioFrameNumber.read(binary))
        case .interruption: delegate?.linkFlushed()
        case .message(let json):
            if let message = try? RTVIMessage.decode(Data(json.readableBytesView)) { told(message) }
        case .text, .transcription, .unknown: break
        }
    }

    func closed(_ socket: WebSocket, _ closure: WebSocketClosure) {
        guard socket === self.socket else { return }
        self.socket = nil
        let now = Int64(NIODeadline.now().uptimeNanoseconds)
        guard !closure.isLocal || closure.error != nil,
            case .connect(let target, let delay) = plan.lost(code: closure.code.rawValue, at: now)
        else { return over(closure) }
        delegate?.linkAway(closure)
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(delay)) {
            if !self.isOver { self.comeBack(to: target) }
        }
    }

    private func told(_ message: RTVIMessage) {
        if message.type == "server-message", message.data["t"] as? String == "parley-resume" {
            guard let grant = message.data["d"] as? [String: Any], let token = grant["token"] as? String else { return }
            plan.returned()
            return plan.granted(token, windowSeconds: (grant["window_seconds"] as? NSNumber)?.doubleValue ?? 0)
        }
        delegate?.linkTold(message)
    }

    private func over(_ closure: WebSocketClosure) {
        guard !isOver else { return }
        isOver = true
        delegate?.linkOver(closure)
    }

    // MARK: Connecting

    private func connect(_ request: WebSocketRequest) {
        socket = client.connect(
            request, configuration: WebSocketConfiguration(maximumMessageBytes: 4 << 20), on: eventLoop, handler: self)
    }

    /// The token is all that is needed: no agent, no key.
    private func comeBack(to target: Int) {
        guard let token = plan.token else { return }
        var url = requests[target].url
        url.target = url.target.prefix { $0 != "?" } + "?resume=\(WebSocketURL.encode(token))&resumable=true"
        connect(WebSocketRequest(url, connectDeadline: .seconds(3)))
    }
}

/// The number that the sender of an audio frame gave it (`id`, field 1 of `AudioRawFrame`): each worker counts its own
/// frames from 1, which tells whose they are.
enum AudioFrameNumber {
    /// 0 where there is none.
    static func read(_ message: ByteBuffer) -> UInt64 {
        var bytes = message
        guard bytes.readInteger(as: UInt8.self) == 0x12, varint(&bytes) != nil,
            bytes.readInteger(as: UInt8.self) == 0x08
        else { return 0 }
        return varint(&bytes) ?? 0
    }

    private static func varint(_ bytes: inout ByteBuffer) -> UInt64? {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), through: 63, by: 7) {
            guard let byte = bytes.readInteger(as: UInt8.self) else { return nil }
            value |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return value }
        }
        return nil
    }
}
