import Foundation
import Hummingbird
package import Logging
import NIOCore
package import NIOPosix
import ServiceLifecycle
package import Telemetry

/// The HTTP server for operators and their tools: `/metrics`, `/healthz` and `/readyz`.
///
/// `/healthz` answers 503 when a watchdog barks, `/readyz` when a check is not ready, both with a JSON object that says what and why.
/// Requests with a body, with large headers or with a method other than GET and HEAD are refused; at most 64 connections are open at once.
package struct OpsServer: Service, CustomStringConvertible {
    private static let maximumConnections = 64
    private static let maximumHeaderBytes = 8192

    private let address: NetworkAddress
    private let metrics: MetricsRegistry
    private let health: Health
    private let logger: Logger
    private let group: MultiThreadedEventLoopGroup
    private let onListening: @Sendable (NetworkAddress) async -> Void

    /// - Parameters:
    ///   - address: where to listen; port 0 lets the system choose.
    ///   - onListening: told the real address once connections are accepted.
    package init(
        address: NetworkAddress, metrics: MetricsRegistry, health: Health, logger: Logger,
        group: MultiThreadedEventLoopGroup = .singleton,
        onListening: @escaping @Sendable (NetworkAddress) async -> Void = { _ in }
    ) {
        self.address = address
        self.metrics = metrics
        self.health = health
        // Its own notes on starting and stopping say nothing that ours do not.
        self.logger = logger.atLeast(.warning)
        self.group = group
        self.onListening = onListening
    }

    package var description: String { "ops server" }

    /// Serves until the service is shut down. Throws when the address cannot be listened on.
    package func run() async throws {
        let application = Application(
            router: makeRouter(),
            server: .http1(
                configuration: .init(
                    idleTimeout: .seconds(60),
                    httpDecoderConfiguration: .init(
                        maxHeaderFieldSize: Self.maximumHeaderBytes, maxHeaderListSize: Self.maximumHeaderBytes,
                        maxHeaderFieldCount: 100))),
            configuration: .init(
                address: .hostname(address.host, port: address.port), serverName: nil,
                availableConnectionsDelegate: .maximum(Self.maximumConnections, logger: logger)),
            onServerRunning: { channel in
                await onListening(NetworkAddress(host: address.host, port: channel.localAddress?.port ?? address.port))
            },
            eventLoopGroupProvider: .shared(group),
            logger: logger)
        do {
            try await application.run()
        } catch let error as IOError {
            throw ServiceError(
                .cannotListen, "cannot listen on \(address) for /metrics and /healthz; is another process using it?",
                cause: error)
        }
    }

    private func makeRouter() -> Router<BasicRequestContext> {
        let router = Router()
        router.add(middleware: BodilessRequests())
        router.get("metrics") { [metrics] _, _ in
            Self.response(.ok, "text/plain; version=0.0.4; charset=utf-8", metrics.exposition())
        }
        router.get("healthz") { [health] _, _ in Self.report(health.livenessFaults(), good: "alive", bad: "stuck") }
        router.get("readyz") { [health] _, _ in
            Self.report(await health.readinessFaults(), good: "ready", bad: "not ready")
        }
        return router
    }

    private static func report(_ faults: Health.Faults, good: String, bad: String) -> Response {
        var object: [String: any Sendable] = ["status": faults.isEmpty ? good : bad]
        if !faults.isEmpty { object["faults"] = faults }
        let data = try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .withoutEscapingSlashes])
        let text = data.map { String(decoding: $0, as: UTF8.self) } ?? "{}"
        return response(faults.isEmpty ? .ok : .serviceUnavailable, "application/json", text + "\n")
    }

    private static func response(_ status: HTTPResponse.Status, _ type: String, _ text: String) -> Response {
        Response(
            status: status, headers: [.contentType: type, .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(string: text)))
    }
}

/// Refuses requests that bring a body: nothing here reads one.
private struct BodilessRequests: RouterMiddleware {
    @concurrent
    func handle(
        _ request: Request, context: BasicRequestContext,
        next: @concurrent (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        guard request.method == .get || request.method == .head else {
            return Response(status: .methodNotAllowed, headers: [.allow: "GET, HEAD", .connection: "close"])
        }
        let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        guard length == 0, request.headers[.transferEncoding] == nil else {
            return Response(status: .contentTooLarge, headers: [.connection: "close"])
        }
        return try await next(request, context)
    }
}
