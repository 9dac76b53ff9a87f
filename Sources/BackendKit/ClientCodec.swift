public import NIOCore

/// A client's wire format: its messages as neutral inputs, and what the session says as its messages. One per attachment.
///
/// No socket and no clock: messages in, messages out. What another worker needs to go on with the client is in `record.handshake`, which
/// `RelayedMedia.makeCodec` gets back.
public protocol ClientCodec: Sendable {
    /// The client as far as it is known.
    var record: ClientRecord { get }
    /// Tells what a message of the client means, in order; nothing where it means nothing.
    mutating func decode(_ message: ByteBuffer, isText: Bool, _ take: (ClientMessage) -> Void)
    /// Audio messages are text.
    var audioIsText: Bool { get }
    /// Bytes of an audio message beyond its samples, at most, so that one allocation suffices.
    var audioOverhead: Int { get }
    /// Writes a message with the agent's next samples, 16 kHz mono.
    mutating func encode(_ samples: Span<Int16>, into out: inout ByteBuffer)
    /// The messages for a notice, in order; empty where the client is not told of it.
    mutating func encode(_ notice: ClientNotice) -> [WireMessage]
    /// The client must flush what it has not played; nil where it cannot.
    mutating func interruption() -> WireMessage?
    /// `interruption()` says no more than that. False where the client takes it for an interruption by the caller: then it comes at those only.
    var dropsQuietly: Bool { get }
}

extension ClientCodec {
    public var audioIsText: Bool { false }
    public var audioOverhead: Int { 64 }
    public var dropsQuietly: Bool { true }
}

/// A WebSocket message.
public struct WireMessage: Sendable, Hashable {
    public var bytes: ByteBuffer
    public var isText: Bool

    public init(_ bytes: ByteBuffer, isText: Bool) {
        self.bytes = bytes
        self.isText = isText
    }
}

/// What a client's message means.
public enum ClientMessage: Sendable {
    /// PCM16 little-endian, interleaved, of any rate and channel count.
    case audio(ByteBuffer, sampleRate: Int, channels: Int)
    case input(ClientInput)
    /// Send this back at once.
    case answer(WireMessage)
    /// What another worker must know of the client has changed: `record` goes into the log again.
    case recordChanged
    /// The client has broken the protocol: say why and close.
    case violation(String)
}
