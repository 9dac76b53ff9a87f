import NIOCore
import NIOHTTP1

/// Collects requests of a connection that is not a WebSocket and hands them on.
final class SimulatedHTTPHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private static let maximumBodyBytes = 8 << 20

    private let route: (SimulatedRequest, SimulatedExchange) -> Void
    private var request: SimulatedRequest?
    private var exchange: SimulatedExchange?

    init(_ route: @escaping (SimulatedRequest, SimulatedExchange) -> Void) { self.route = route }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): request = SimulatedRequest(head)
        case .body(var part):
            guard (request?.body.readableBytes ?? 0) + part.readableBytes <= Self.maximumBodyBytes else {
                return context.close(promise: nil)
            }
            request?.body.writeBuffer(&part)
        case .end:
            guard let request else { return }
            self.request = nil
            let exchange = SimulatedExchange(context.channel)
            self.exchange = exchange
            route(request, exchange)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        exchange?.closed()
        exchange = nil
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}
