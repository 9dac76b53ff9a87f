import Hummingbird
import HummingbirdCore
package import Logging
package import NIOCore
import ServiceLifecycle

/// The public port of a dispatcher: API and WebSocket callers. At its end it refuses new callers, waits for the live ones within the
/// grace period, then closes what is left with 1012.
package struct PublicServer: Service {
    private let core: DispatcherCore
    private let host: String
    private let port: Int
    private let group: any EventLoopGroup
    private let logger: Logger
    private let onRunning: @Sendable (Int) async -> Void

    /// `onRunning` gets the port that was bound.
    package init(
        core: DispatcherCore, host: String, port: Int, group: any EventLoopGroup, logger: Logger,
        onRunning: @escaping @Sendable (Int) async -> Void
    ) {
        self.core = core
        self.host = host
        self.port = port
        self.group = group
        self.logger = logger
        self.onRunning = onRunning
    }

    package func run() async throws {
        let responder = PublicAPI.router(core).buildResponder()
        let core = core
        let application = Application(
            responder: responder, server: .init { responder in CallerChannel(core: core, responder: responder) },
            configuration: .init(address: .hostname(host, port: port), serverName: "parley"),
            onServerRunning: { channel in await onRunning(channel.localAddress?.port ?? port) },
            eventLoopGroupProvider: .shared(group), logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            group.addTask {
                do {
                    try await gracefulShutdown()
                    core.drain()
                    // The grace period is over when this is cancelled, or nobody is left when the server has ended.
                    try await Task.sleep(for: .seconds(86_400))
                } catch {}
                core.shutDown()
            }
            try await group.next()
            group.cancelAll()
        }
        core.shutDown()
    }
}
