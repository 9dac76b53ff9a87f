import LiveKitDispatch
import NIOCore
import SwiftProtobuf
import WebSocket

/// The server's end of a connection, as others hold it.
struct AgentServerLink: Sendable {
    let send: @Sendable (ByteBuffer) -> Void
    /// Without a close frame.
    let abort: @Sendable () -> Void
}

/// Hands on what a worker says.
final class AgentServerPeer: WebSocketHandler {
    private let server: AgentServer
    private let number: Int

    init(_ server: AgentServer, number: Int) {
        self.server = server
        self.number = number
    }

    func opened(_ socket: WebSocket) {
        let bound = NIOLoopBound(socket, eventLoop: socket.eventLoop)
        let loop = socket.eventLoop
        server.opened(
            number,
            AgentServerLink(
                send: { bytes in loop.execute { bound.value.send(binary: bytes) } }, abort: { loop.execute { bound.value.abort() } }))
    }

    func received(binary: ByteBuffer, on socket: WebSocket) {
        do {
            server.received(try AgentWireWorkerMessage(serializedBytes: Array(binary.readableBytesView)), number)
        } catch {
            server.undecodable("\(error)", number)
        }
    }

    func received(text: ByteBuffer, on socket: WebSocket) {
        // The real server takes JSON too; ours has no reason to send it.
        server.undecodable("text", number)
    }

    func closed(_ socket: WebSocket, _ closure: WebSocketClosure) { server.closed(number) }
}
