package import Logging
package import NIOCore
import NIOPosix
import NIOSSL
import Resilience

/// One pipelined connection to Redis that comes back by itself.
///
/// Commands are sent in the order in which they were submitted, and their replies come in that order; many callers share the connection.
/// A command that was sent is never sent again: its caller is told `connectionLost` or `timeout` and decides. Without a connection commands
/// fail at once with `unavailable`; while the first attempt or a retry is under way they wait for it. Commands that block (XREAD BLOCK, WAIT)
/// hold up everything behind them and belong on a client of their own: `dedicated(name:)`.
///
/// State is confined to the event loop, which is the actor's executor.
package actor RedisClient {
    package typealias Completion = @Sendable (Result<RESPValue, RedisError>) -> Void

    package nonisolated let eventLoop: any EventLoop
    package nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe eventLoop.executor.asUnownedSerialExecutor()
    }
    package nonisolated let configuration: RedisConfiguration
    private nonisolated let logger: Logger

    private struct Pending {
        let command: RedisCommand
        let completion: Completion
    }

    private var machine: RedisConnectionMachine
    private var pending: [RedisConnectionMachine.ID: Pending] = [:]
    private var lastID: RedisConnectionMachine.ID = 0
    private var channel: (any Channel)?
    /// Counts connections, so that what an old one still says is not taken for the new one's.
    private var generation = 0
    /// What was written goes out at the end of this turn of the loop.
    private var isFlushing = false
    /// The connection was lost, or could not be made, and is not there again yet.
    private var isAway = false
    private var deadlineTimer: Scheduled<Void>?
    private var retryTimer: Scheduled<Void>?
    private let backoff = Backoff(initial: .milliseconds(50), maximum: .seconds(2))
    private var random = SystemRandomNumberGenerator()

    /// A client that connects with its first command, or with `start()`.
    package init(_ configuration: RedisConfiguration, on eventLoop: any EventLoop, logger: Logger) {
        self.configuration = configuration
        self.eventLoop = eventLoop
        self.logger = logger
        machine = RedisConnectionMachine(
            limit: configuration.maximumInFlight, greetingReplies: configuration.greeting.count)
    }

    /// Runs `body` with a client and closes it afterwards.
    package static func withClient<Result: Sendable>(
        _ configuration: RedisConfiguration, on eventLoop: any EventLoop, logger: Logger,
        _ body: (RedisClient) async throws -> Result
    ) async throws -> Result {
        let client = RedisClient(configuration, on: eventLoop, logger: logger)
        do {
            let result = try await body(client)
            await client.close()
            return result
        } catch {
            await client.close()
            throw error
        }
    }

    /// Another connection to the same Redis, for commands that block.
    package nonisolated func dedicated(name: String) -> RedisClient {
        var configuration = configuration
        configuration.name = name
        return RedisClient(configuration, on: eventLoop, logger: logger)
    }

    // MARK: Commands

    /// Sends a command. The reply, or why there is none, comes to `completion` on the event loop. Refusals by Redis are values.
    ///
    /// May be called from any thread; commands of one thread keep their order.
    package nonisolated func submit(_ command: RedisCommand, _ completion: @escaping Completion) {
        onLoop { $0.enqueue([(command, completion)]) }
    }

    /// Sends several commands at once. Replies come to `completion` together, in the order of the commands.
    package nonisolated func submit(
        _ commands: [RedisCommand], _ completion: @escaping @Sendable (Result<[RESPValue], RedisError>) -> Void
    ) {
        guard !commands.isEmpty else { return eventLoop.execute { completion(.success([])) } }
        onLoop { client in
            let collector = ReplyCollector(count: commands.count, loop: client.eventLoop, completion)
            client.enqueue(commands.enumerated().map { index, command in (command, { collector.take($0, at: index) }) })
        }
    }

    /// Connects without waiting for a command.
    package nonisolated func start() {
        onLoop { $0.perform($0.machine.start()) }
    }

    /// Ends the connection for good. Whoever waits is told `closed`.
    package func close() async {
        perform(machine.stop())
        retryTimer?.cancel()
        deadlineTimer?.cancel()
    }

    /// Whether a connection is there and Redis has answered on it.
    package var isReady: Bool { machine.phase == .ready }
    /// Commands that wait for their replies.
    package var inFlight: Int { machine.inFlight }

    private nonisolated func onLoop(_ body: @escaping @Sendable (isolated RedisClient) -> Void) {
        if eventLoop.inEventLoop {
            assumeIsolated { body($0) }
        } else {
            eventLoop.execute { self.assumeIsolated { body($0) } }
        }
    }

    private func enqueue(_ commands: [(RedisCommand, Completion)]) {
        let now = NIODeadline.now()
        let requests = commands.map { command, completion in
            lastID += 1
            pending[lastID] = Pending(command: command, completion: completion)
            return RedisConnectionMachine.Request(
                id: lastID, deadline: now + TimeAmount(command.timeout ?? configuration.commandTimeout))
        }
        perform(machine.submit(requests))
        watchDeadline()
    }

    // MARK: Actions

    private func perform(_ actions: [RedisConnectionMachine.Action]) {
        for action in actions {
            switch action {
            case .connect: connect()
            case .greet: write(configuration.greeting)
            case .write(let ids): write(ids.compactMap { pending[$0]?.command })
            case .complete(let id, let value): pending.removeValue(forKey: id)?.completion(.success(value))
            case .fail(let ids, let error):
                for id in ids { pending.removeValue(forKey: id)?.completion(.failure(error)) }
            case .disconnect: disconnect()
            case .retryLater(let attempt): retryLater(attempt)
            }
        }
    }

    private func write(_ commands: [RedisCommand]) {
        guard let channel else { return }
        var buffer = channel.allocator.buffer(capacity: 256 * commands.count)
        for command in commands { command.write(to: &buffer) }
        // A write that fails closes the channel, and that is reported by the handler.
        channel.write(buffer, promise: nil)
        flushSoon()
    }

    /// What is submitted within one turn of the loop goes out together: each way to Redis costs more than a command.
    private func flushSoon() {
        guard !isFlushing else { return }
        isFlushing = true
        eventLoop.execute { [weak self] in
            self?.assumeIsolated { client in
                client.isFlushing = false
                client.channel?.flush()
            }
        }
    }

    private func disconnect() {
        generation += 1
        channel?.close(promise: nil)
        channel = nil
    }

    private func retryLater(_ attempt: Int) {
        channel = nil
        let delay = backoff.delay(retry: attempt, using: &random)
        retryTimer = eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(delay)) { [weak self] in
            self?.assumeIsolated { $0.perform($0.machine.retry()) }
        }
    }

    /// One timer for all commands; it is set for the oldest and looks again when it fires.
    private func watchDeadline() {
        guard deadlineTimer == nil, let deadline = machine.nextDeadline else { return }
        deadlineTimer = eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [weak self] in
            self?.assumeIsolated { client in
                client.deadlineTimer = nil
                client.perform(client.machine.check(now: .now()))
                client.watchDeadline()
            }
        }
    }

    // MARK: Connecting

    private func connect() {
        generation += 1
        let current = generation
        let configuration = configuration
        ClientBootstrap(group: eventLoop)
            .connectTimeout(TimeAmount(configuration.connectTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { [weak self] channel in
                channel.eventLoop.makeCompletedFuture {
                    if configuration.usesTLS {
                        try channel.pipeline.syncOperations.addHandler(Self.tlsHandler(configuration))
                    }
                    let handler = RedisChannelHandler(
                        reader: try ReplyReader(),
                        receive: { replies in self?.assumeIsolated { $0.received(replies, of: current) } },
                        end: { error in self?.assumeIsolated { $0.ended(error, of: current) } })
                    try channel.pipeline.syncOperations.addHandler(handler)
                }
            }
            .connect(host: configuration.host, port: configuration.port)
            .whenComplete { [weak self] result in
                self?.assumeIsolated { $0.finishedConnecting(result, current) } ?? Self.close(result)
            }
    }

    /// The client went away while it was connecting.
    private static func close(_ result: Result<any Channel, any Error>) {
        if case .success(let channel) = result { channel.close(promise: nil) }
    }

    private static func tlsHandler(_ configuration: RedisConfiguration) throws -> NIOSSLClientHandler {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let file = configuration.trustedCertificates { tls.additionalTrustRoots = [.file(file)] }
        let isAddress = (try? SocketAddress(ipAddress: configuration.host, port: 0)) != nil
        return try NIOSSLClientHandler(
            context: NIOSSLContext(configuration: tls), serverHostname: isAddress ? nil : configuration.host)
    }

    private func finishedConnecting(_ result: Result<any Channel, any Error>, _ current: Int) {
        guard current == generation else { return Self.close(result) }
        switch result {
        case .success(let channel):
            self.channel = channel
            perform(machine.connected())
        case .failure(let error):
            let problem = RedisError(.unavailable, "Redis at \(configuration.address) cannot be reached.", cause: error)
            lost(problem)
            perform(machine.disconnected(problem))
        }
    }

    private func received(_ replies: [RESPValue], of current: Int) {
        for reply in replies where current == generation { perform(machine.received(reply)) }
        if isAway, machine.phase == .ready {
            isAway = false
            logger.notice("Redis is there again", metadata: ["address": "\(configuration.address)"])
        }
    }

    /// Said once an outage: nobody else may be asking at the moment, and the operator has to know what the service waits for.
    private func lost(_ error: RedisError) {
        if !isAway {
            logger.warning("no connection to Redis; trying again until there is one", metadata: ["error": "\(error)"])
        }
        isAway = true
    }

    private func ended(_ error: RedisError, of current: Int) {
        guard current == generation else { return }
        lost(error)
        switch error.code {
        case .protocolViolation: perform(machine.violated(error))
        default: perform(machine.disconnected(error))
        }
    }
}
