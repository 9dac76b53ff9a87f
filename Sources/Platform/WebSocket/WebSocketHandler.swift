package import NIOCore

/// Receives what happens on one WebSocket: synchronously, in order, on the socket's event loop, never from inside a call to
/// `connect`. The socket keeps its handler until `closed` has been delivered or `abandon` was called.
package protocol WebSocketHandler: AnyObject {
    /// The handshake is complete; from here on `send` works.
    func opened(_ socket: WebSocket)
    /// A whole text message, valid UTF-8.
    func received(text: ByteBuffer, on socket: WebSocket)
    /// A whole binary message; a slice of what was read where it came in one frame from a server.
    func received(binary: ByteBuffer, on socket: WebSocket)
    /// `socket.isWritable` has changed.
    func writabilityChanged(_ socket: WebSocket)
    /// The peer has broken the protocol or has gone silent: a close frame with this code and reason follows. The last chance to send something.
    func willFail(_ socket: WebSocket, _ closure: WebSocketClosure)
    /// The last event, exactly once, whoever closed.
    func closed(_ socket: WebSocket, _ closure: WebSocketClosure)
}

extension WebSocketHandler {
    package func opened(_ socket: WebSocket) {}
    package func received(text: ByteBuffer, on socket: WebSocket) {}
    package func received(binary: ByteBuffer, on socket: WebSocket) {}
    package func writabilityChanged(_ socket: WebSocket) {}
    package func willFail(_ socket: WebSocket, _ closure: WebSocketClosure) {}
}

/// What one WebSocket has carried so far.
package struct WebSocketCounters: Sendable, Hashable {
    package var messagesIn = 0
    package var bytesIn = 0
    package var messagesOut = 0
    package var bytesOut = 0
    /// Messages not sent because the socket was not open or its pending bytes were at their bound.
    package var messagesDropped = 0
}
