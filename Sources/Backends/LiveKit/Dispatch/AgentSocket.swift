import NIOCore
import SwiftProtobuf
import WebSocket

/// Hands what happens on one connection to the client, which lives on the same event loop.
final class AgentSocket: WebSocketHandler {
    enum Event: Sendable {
        case opened
        case message(AgentWireServerMessage)
        case undecodable(String)
        case closed(WebSocketClosure)
    }

    private let deliver: (Event) -> Void

    init(_ deliver: @escaping (Event) -> Void) { self.deliver = deliver }

    func opened(_ socket: WebSocket) { deliver(.opened) }

    func received(binary: ByteBuffer, on socket: WebSocket) {
        do {
            deliver(.message(try AgentWireServerMessage(serializedBytes: Array(binary.readableBytesView))))
        } catch {
            deliver(.undecodable("\(binary.readableBytes) bytes, \(error)"))
        }
    }

    func received(text: ByteBuffer, on socket: WebSocket) {
        // The server answers in the form that it is spoken to, which is binary.
        deliver(.undecodable("\(text.readableBytes) bytes of text"))
    }

    func closed(_ socket: WebSocket, _ closure: WebSocketClosure) { deliver(.closed(closure)) }
}
