import BackendKit
import Cryptography
import Foundation
import HTTPTypes
package import HummingbirdCore
package import Logging
package import NIOCore
import NIOHTTP1
import NIOHTTPTypes
import NIOHTTPTypesHTTP1
import NIOPosix
import WebSocket

/// A connection of the public port: HTTP for the API, or a WebSocket caller after an upgrade on the same port.
package struct CallerChannel: ServerChildChannel, HTTPChannelHandler {
    package struct Value: ServerChildChannelValue {
        package let channel: any Channel
        fileprivate let negotiated: EventLoopFuture<Negotiated>
    }

    fileprivate enum Negotiated: Sendable {
        case http(NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>)
        case webSocket
    }

    /// Agent audio waiting in the kernel is heard late and cannot be cleared: 16 KiB is half a second of 16 kHz PCM16.
    private static let socketSendBuffer = 16 << 10

    package let responder: HTTPChannelHandler.Responder
    private let core: DispatcherCore

    package init(core: DispatcherCore, responder: @escaping HTTPChannelHandler.Responder) {
        self.core = core
        self.responder = responder
    }

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let core = core
        let upgrader = WebSocketServerUpgrader<Negotiated>(
            configuration: WebSocketConfiguration(maximumMessageBytes: 1 << 20, writeBufferHigh: 4 << 10, writeBufferLow: 1 << 10)
        ) { channel, head in
            return channel.eventLoop.makeSucceededFuture(Self.entry(head, core) == nil ? nil : HTTPHeaders())
        } makeHandler: { channel, head in
            // The upgrade was agreed to because there is one.
            let entry = Self.entry(head, core) ?? core.backends.all[0]
            return CallerConnection(
                service: core, backend: entry.admission,
                request: CallerRequest.parse(head, to: entry.backend.name, from: channel.remoteAddress, trusted: core.trustedProxies),
                eventLoop: channel.eventLoop, attachment: (try? RandomBytes.token(bytes: 12)) ?? UUID().uuidString)
        } result: { _ in
            .webSocket
        }
        return channel.setOption(.socketOption(.so_sndbuf), value: ChannelOptions.Types.SocketOption.Value(Self.socketSendBuffer)).flatMapThrowing {
            var configuration = NIOUpgradableHTTPServerPipelineConfiguration<Negotiated>(
                upgradeConfiguration: NIOTypedHTTPServerUpgradeConfiguration(upgraders: [upgrader]) { channel in
                    channel.eventLoop.makeCompletedFuture { try Self.http(channel, logger) }
                })
            configuration.enablePipelining = false
            let negotiated = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
                configuration: configuration)
            let opening = OpeningGuard()
            try channel.pipeline.syncOperations.addHandler(opening)
            negotiated.assumeIsolated().whenComplete { _ in opening.finish() }
            return Value(channel: channel, negotiated: negotiated)
        }
    }

    private static func entry(_ head: HTTPRequestHead, _ core: DispatcherCore) -> DispatcherBackends.Entry? {
        core.backends.entry(atPath: head.uri.split(separator: "?", maxSplits: 1).first.map(String.init) ?? "")
    }

    private static func http(_ channel: any Channel, _ logger: Logger) throws -> Negotiated {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(HTTP1ToHTTPServerCodec(secure: false))
        try pipeline.addHandler(HTTPConnectionStateHandler(idleTimeout: .seconds(60), logger: logger))
        let configuration = NIOAsyncChannel<HTTPRequestPart, HTTPResponsePart>.Configuration(isOutboundHalfClosureEnabled: true)
        return .http(try NIOAsyncChannel(wrappingChannelSynchronously: channel, configuration: configuration))
    }

    package func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.negotiated.get() {
            case .http(let channel): await handleHTTP(asyncChannel: channel, logger: logger)
            case .webSocket: try await value.channel.closeFuture.get()
            }
        } catch {
            logger.debug("connection ended", metadata: ["error": "\(error)"])
            value.channel.close(promise: nil)
        }
    }
}

/// Closes connections that send no HTTP request, or none in time: the HTTP decoder answers garbage with 400 and leaves the connection open.
private final class OpeningGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    /// Whoever connects has a request to send at once.
    private static let limit = TimeAmount.seconds(5)
    private var context: ChannelHandlerContext?
    private var deadline: Scheduled<Void>?

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        let channel = context.channel
        deadline = context.eventLoop.scheduleTask(in: Self.limit) { channel.close(promise: nil) }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        deadline?.cancel()
        self.context = nil
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// It is known what the connection is.
    func finish() {
        guard let context else { return }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}

/// What a WebSocket caller's HTTP request says.
enum CallerRequest {
    static func parse(_ head: HTTPRequestHead, to backend: String, from remote: SocketAddress?, trusted: [AddressBlock]) -> Admission.Request {
        let components = URLComponents(string: head.uri)
        var parameters: [String: String] = [:]
        for item in components?.queryItems ?? [] { parameters[item.name] = item.value ?? "" }
        let bearer = head.headers.first(name: "Authorization").flatMap { value in
            value.lowercased().hasPrefix("bearer ") ? String(value.dropFirst(7)) : nil
        }
        let credential = parameters.removeValue(forKey: "token") ?? bearer
        let agent = parameters.removeValue(forKey: "agent")
        let resumeToken = parameters.removeValue(forKey: "resume")
        let canResume = parameters.removeValue(forKey: "resumable") == "true"
        let address = CallerAddress.of(remote, forwarded: head.headers["X-Forwarded-For"], trusted: trusted)
        var headers: [String: String] = [:]
        for (name, value) in head.headers { headers[name.lowercased()] = value }
        let http = BackendRequest(
            method: head.method.rawValue, path: components?.path ?? head.uri,
            query: Dictionary((components?.queryItems ?? []).map { ($0.name, $0.value ?? "") }) { $1 }, headers: headers, address: address)
        return Admission.Request(
            credential: credential, agent: agent, parameters: parameters, backend: backend, address: address, resumeToken: resumeToken,
            canResume: canResume, http: http)
    }
}
