package import NIOCore
import NIOHTTP1

/// The server's end of one HTTP exchange. Confined to its event loop.
package final class SimulatedExchange {
    package let eventLoop: any EventLoop
    private let channel: any Channel
    private var isStreaming = false
    package private(set) var isOver = false
    /// Timers and speech of this answer; cancelled when the client goes.
    package var onClose: (() -> Void)?

    init(_ channel: any Channel) {
        self.channel = channel
        eventLoop = channel.eventLoop
    }

    package func answer(_ answer: SimulatedAnswer) {
        start(answer.status, answer.headers + [("content-length", "\(answer.body.utf8.count)")])
        write(ByteBuffer(string: answer.body))
        end()
    }

    package func start(_ status: Int, _ headers: [(String, String)]) {
        guard !isOver, !isStreaming else { return }
        isStreaming = true
        let head = HTTPResponseHead(version: .http1_1, status: .init(statusCode: status), headers: HTTPHeaders(headers))
        channel.writeAndFlush(HTTPServerResponsePart.head(head), promise: nil)
    }

    package func write(_ data: ByteBuffer) {
        guard !isOver else { return }
        channel.writeAndFlush(HTTPServerResponsePart.body(.byteBuffer(data)), promise: nil)
    }

    package func end() {
        guard !isOver else { return }
        isOver = true
        onClose = nil
        channel.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
    }

    /// Cuts the connection.
    package func reset() {
        closed()
        channel.close(promise: nil)
    }

    /// The client has gone.
    func closed() {
        guard !isOver else { return }
        isOver = true
        onClose?()
        onClose = nil
    }

    /// `body` runs unless the exchange is over by then.
    @discardableResult
    package func after(milliseconds: Double, _ body: @escaping () -> Void) -> Scheduled<Void> {
        eventLoop.assumeIsolated().scheduleTask(in: .microseconds(Int64(milliseconds * 1_000))) {
            if !self.isOver { body() }
        }
    }
}
