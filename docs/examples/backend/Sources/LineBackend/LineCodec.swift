import Audio
import BackendKit
import NIOCore

/// Text messages are lines: `hello` first, then what the caller types, `/bye` at the end. Binary messages are PCM16, little-endian, 16 kHz, mono,
/// both ways.
struct LineCodec: ClientCodec {
    private static let sampleRate = 16_000
    private static let longestLine = 4_000

    private let hasCaptions: Bool
    private var isReady: Bool

    init(hasCaptions: Bool, handshake: [UInt8]) {
        self.hasCaptions = hasCaptions
        self.isReady = !handshake.isEmpty
    }

    /// That the client has said hello is all that another worker has to know.
    var record: ClientRecord { ClientRecord(protocolName: "line", handshake: isReady ? [1] : []) }
    let audioOverhead = 0

    // MARK: In

    mutating func decode(_ message: ByteBuffer, isText: Bool, _ take: (ClientMessage) -> Void) {
        guard isText else { return take(.audio(message, sampleRate: Self.sampleRate, channels: 1)) }
        guard message.readableBytes <= Self.longestLine else { return take(.violation("a line has at most \(Self.longestLine) bytes")) }
        let line = String(buffer: message)
        switch line {
        case "hello":
            isReady = true
            take(.input(.ready))
        case _ where !isReady: take(.violation("the first line must be 'hello'"))
        case "/bye": take(.input(.hangUp))
        default: take(.input(.text(line, interrupts: true, speak: true)))
        }
    }

    // MARK: Out

    mutating func encode(_ samples: Span<Int16>, into out: inout ByteBuffer) { out.writeLittleEndian(samples) }

    mutating func encode(_ notice: ClientNotice) -> [WireMessage] {
        switch notice {
        case .ready: [.line("ready")]
        case .userTranscript(let text, final: true, let time) where hasCaptions: [.line("you \(seconds(time)): \(text)")]
        case .sentence(_, let text, .new) where hasCaptions, .sentence(_, let text, .textOnly): [.line("agent: \(text)")]
        case .error(let message, _): [.line("error: \(message)")]
        default: []
        }
    }

    mutating func interruption() -> WireMessage? { .line("stop") }

    private func seconds(_ time: SessionTime) -> Int64 { time.milliseconds / 1_000 }
}
