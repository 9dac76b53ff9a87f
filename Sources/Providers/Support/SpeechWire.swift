package import Conversation
package import NIOCore
package import WebSocket

/// What is particular to a vendor's speech socket: how sentences are asked for and how answers read. A value without I/O.
package protocol SpeechWire: Sendable {
    /// `vendor/model`.
    var provider: String { get }
    var request: WebSocketRequest { get }
    /// Contexts the vendor allows on one socket at a time, cancelled ones that it has not closed included.
    var maximumContexts: Int { get }
    /// Does the vendor answer a cancelled context with an end? If not, its place is free at once.
    var endsCancelledContexts: Bool { get }

    /// The text messages that have one sentence spoken in a context of its own.
    func speak(_ text: String, context: String) -> [ByteBuffer]
    /// The text messages that stop a context.
    func cancel(context: String) -> [ByteBuffer]
    /// Throws `protocolViolation` for what is not the vendor's protocol.
    func decode(_ message: ByteBuffer) throws(ProviderError) -> [SpeechWireEvent]
    /// What a close of the connection or a refused handshake means.
    func explain(_ closure: WebSocketClosure) -> ProviderError
}

/// What a vendor says about a context.
package enum SpeechWireEvent: Sendable, Equatable {
    /// 16 kHz mono.
    case audio(context: String, [Int16])
    /// Characters and where they are spoken, in samples from the start of the audio that follows in this message.
    case characters(context: String, [SpokenCharacter])
    /// Words and where they are spoken, in samples from the start of the context.
    case words(context: String, [SpokenWord])
    case ended(context: String)
    /// Without a context it concerns the connection.
    case failed(context: String?, ProviderError)
}

package struct SpokenCharacter: Sendable, Hashable {
    package var text: String
    package var start: Int
    package var end: Int

    package init(_ text: String, start: Int, end: Int) {
        self.text = text
        self.start = start
        self.end = end
    }
}
