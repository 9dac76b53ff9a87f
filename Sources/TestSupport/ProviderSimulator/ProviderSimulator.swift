import NIOCore
import NIOHTTP1
import NIOPosix
import WebSocket

/// Serves the protocols of Deepgram, OpenAI, Anthropic, ElevenLabs and Cartesia on one port of the loopback interface.
package final class ProviderSimulator: Sendable {
    /// The port that is listened on.
    package let port: Int
    private let state: SimulatorState
    private let channel: any Channel
    private let group: MultiThreadedEventLoopGroup

    /// Starts to listen. Throws where the port is taken or a rule's pattern is not a regular expression.
    package static func start(_ configuration: SimulatorConfiguration = SimulatorConfiguration()) async throws
        -> ProviderSimulator
    {
        for rule in configuration.language.rules { _ = try Regex(rule.match) }
        let state = SimulatorState(configuration)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: max(1, configuration.threads))
        do {
            let channel = try await ServerBootstrap(group: group)
                .serverChannelOption(.backlog, value: 1_024)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { child in child.eventLoop.makeCompletedFuture { try setUp(child, state) } }
                .bind(host: configuration.host, port: configuration.port).get()
            return ProviderSimulator(state, channel, group)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private init(_ state: SimulatorState, _ channel: any Channel, _ group: MultiThreadedEventLoopGroup) {
        self.state = state
        self.channel = channel
        self.group = group
        port = channel.localAddress?.port ?? 0
    }

    /// Closes the port and every connection.
    package func stop() async {
        try? await channel.close()
        try? await group.shutdownGracefully()
    }

    /// `http://127.0.0.1:PORT`, to be set as every vendor's base URL; OpenAI's with `/v1` behind it.
    package var url: String { "http://\(state.configuration.host):\(port)" }

    /// The variables that aim Parley's providers at this simulator, keys included.
    package var environment: [String: String] {
        let key = state.configuration.keys.sorted().first ?? ""
        var result: [String: String] = ["OPENAI_BASE_URL": url + "/v1"]
        for vendor in ["DEEPGRAM", "ANTHROPIC", "ELEVENLABS", "CARTESIA"] { result[vendor + "_BASE_URL"] = url }
        for vendor in ["DEEPGRAM", "OPENAI", "ANTHROPIC", "ELEVENLABS", "CARTESIA"] {
            result[vendor + "_API_KEY"] = key
        }
        return result
    }

    /// What the callers of a Deepgram tag (nil: of all tags without a script) say.
    package func say(_ script: [ScriptedUtterance], tag: String? = nil, append: Bool = false) {
        state.set(script: script, tag: tag, append: append)
    }

    /// The next requests of a vendor meet these faults, one each.
    package func play(_ faults: [Fault], on vendor: SimulatedVendor) { state.append(faults: faults, for: vendor) }

    package var statistics: SimulatorStatistics { state.statistics }

    /// Where the worker finds a tool of this name: a POST counts as a run of it.
    package func toolURL(_ name: String) -> String { url + ToolRoute.prefix + name }

    /// The tools that were run, in order.
    package var toolCalls: [SimulatedToolCall] { state.toolCalls }

    private static func setUp(_ channel: any Channel, _ state: SimulatorState) throws {
        let fate = ConnectionFate()
        let upgrader = WebSocketServerUpgrader<Void>(
            decide: { channel, head in
                let decision = SimulatorSockets.admit(SimulatedRequest(head), state)
                if case .accept(let fault) = decision { fate.value = fault }
                return channel.eventLoop.makeSucceededFuture(decision.answer)
            },
            makeHandler: { channel, head in
                SimulatorSockets.makeHandler(SimulatedRequest(head), state, fault: fate.value)
            },
            result: { _ in })
        let configuration = NIOTypedHTTPServerUpgradeConfiguration<Void>(
            upgraders: [upgrader],
            notUpgradingCompletionHandler: { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        SimulatorHTTPHandler { SimulatorRoutes.route($0, $1, state) })
                }
            })
        _ = try channel.pipeline.syncOperations.configureUpgradableHTTPServerPipeline(
            configuration: .init(upgradeConfiguration: configuration))
    }
}
