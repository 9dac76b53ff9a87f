import BackendKit
import HTTPClient
import Logging
import NIOCore
import NIOPosix
import PipecatBackend
import ServiceLifecycle
import Telemetry
import Testing
import WebSocket

@testable import DispatcherService

/// A dispatcher on a free port, in front of a cluster of fakes.
struct RunningDispatcher: Sendable {
    let port: Int
    let core: DispatcherCore
    let metrics: MetricsRegistry

    static func run(
        _ cluster: Cluster, trustedProxies: [AddressBlock] = [],
        _ body: @escaping @Sendable (RunningDispatcher) async throws -> Void
    ) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let metrics = MetricsRegistry()
        var backends = DispatcherBackends()
        let pipecat = PipecatBackend()
        try backends.add(pipecat, BackendSettings(of: pipecat) { _ in nil }, logger: logger)
        let core = DispatcherCore(
            admission: cluster.admission, backends: backends, returns: cluster.returns, trustedProxies: trustedProxies, logger: logger, registry: metrics)
        let (ports, listening) = AsyncStream<Int>.makeStream()
        let server = PublicServer(
            core: core, host: "127.0.0.1", port: 0, group: MultiThreadedEventLoopGroup.singleton, logger: logger
        ) { listening.yield($0) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                defer { listening.finish() }
                try await server.run()
            }
            guard let port = await ports.first(where: { _ in true }) else { return try await group.waitForAll() }
            try await body(RunningDispatcher(port: port, core: core, metrics: metrics))
            group.cancelAll()
            while let result = await group.nextResult() { _ = result }
        }
    }

    // MARK: HTTP

    func send(
        _ method: String, _ path: String, key: String? = FakeDirectory.key, headers: [(name: String, value: String)] = [],
        body: String? = nil
    ) async throws -> (status: Int, headers: HTTPHead, text: String) {
        var request = HTTPRequest(
            method, "http://127.0.0.1:\(port)\(path)", headers: headers, body: body.map { ByteBuffer(string: $0) })
        if let key { request.headers.append(("Authorization", "Bearer \(key)")) }
        let response = try await HTTPClient.shared.send(
            request, on: MultiThreadedEventLoopGroup.singleton.next(), maximumBodyBytes: 1 << 20)
        return (response.head.status, response.head, String(buffer: response.body))
    }

    // MARK: WebSocket

    /// Connects and returns how the socket ended: what it was told, and the close.
    func call(_ path: String, key: String? = nil) async throws -> (told: String, closure: WebSocketClosure) {
        let (events, log) = AsyncStream<(String, WebSocketClosure)>.makeStream()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let url = try WebSocketURL("ws://127.0.0.1:\(port)\(path)")
        let headers = key.map { [(name: "Authorization", value: "Bearer \($0)")] } ?? []
        try await loop.submit {
            _ = WebSocketClient().connect(
                WebSocketRequest(url, headers: headers, connectDeadline: .seconds(10)),
                configuration: WebSocketConfiguration(),
                on: loop, handler: Listener(log))
        }.get()
        let end = await events.first { _ in true }
        return try #require(end)
    }
}

private final class Listener: WebSocketHandler {
    private let log: AsyncStream<(String, WebSocketClosure)>.Continuation
    private var told = ""

    init(_ log: AsyncStream<(String, WebSocketClosure)>.Continuation) { self.log = log }

    func received(binary: ByteBuffer, on socket: WebSocket) { told += String(buffer: binary) }
    func closed(_ socket: WebSocket, _ closure: WebSocketClosure) {
        log.yield((told, closure))
        log.finish()
    }
}
