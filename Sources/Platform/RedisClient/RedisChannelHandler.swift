import NIOCore

/// Turns a connection's bytes into replies and hands them to the client, on its event loop.
final class RedisChannelHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let reader: ReplyReader
    private let receive: ([RESPValue]) -> Void
    private let end: (RedisError) -> Void
    private var isOver = false

    /// - Parameters:
    ///   - receive: called with the replies that one read completed
    ///   - end: called once, with why the connection is of no use any more
    init(reader: ReplyReader, receive: @escaping ([RESPValue]) -> Void, end: @escaping (RedisError) -> Void) {
        self.reader = reader
        self.receive = receive
        self.end = end
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !isOver else { return }
        let buffer = unwrapInboundIn(data)
        var replies: [RESPValue] = []
        do {
            try unsafe buffer.withUnsafeReadableBytes { bytes in try unsafe reader.feed(bytes) }
            while let reply = try reader.next() { replies.append(reply) }
            receive(replies)
        } catch {
            // What came whole before the garbage is still an answer.
            receive(replies)
            finish(
                error as? RedisError ?? RedisError(.protocolViolation, "Redis sent an unreadable reply.", cause: error),
                context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(RedisError(.connectionLost, "The connection to Redis failed.", cause: error), context)
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(RedisError(.connectionLost, "Redis closed the connection."), context)
        context.fireChannelInactive()
    }

    private func finish(_ error: RedisError, _ context: ChannelHandlerContext) {
        guard !isOver else { return }
        isOver = true
        end(error)
        context.close(promise: nil)
    }
}
