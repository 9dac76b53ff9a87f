import NIOCore
import SimulatedHTTP
import WebSocket

/// Serves the protocols of Deepgram, OpenAI, Anthropic, ElevenLabs and Cartesia on one port of the loopback interface.
package final class ProviderSimulator: Sendable {
    /// The port that is listened on.
    package let port: Int
    private let state: SimulatorState
    private let server: SimulatedServer

    /// Starts to listen. Throws where the port is taken or a rule's pattern is not a regular expression.
    package static func start(_ configuration: SimulatorConfiguration = SimulatorConfiguration()) async throws
        -> ProviderSimulator
    {
        for rule in configuration.language.rules { _ = try Regex(rule.match) }
        let state = SimulatorState(configuration)
        let server = try await SimulatedServer.start(
            host: configuration.host, port: configuration.port, threads: configuration.threads,
            makeUpgrader: { makeUpgrader(state) }, route: { SimulatorRoutes.route($0, $1, state) })
        return ProviderSimulator(state, server)
    }

    private init(_ state: SimulatorState, _ server: SimulatedServer) {
        self.state = state
        self.server = server
        port = server.port
    }

    /// Closes the port and every connection.
    package func stop() async { await server.stop() }

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

    private static func makeUpgrader(_ state: SimulatorState) -> WebSocketServerUpgrader<Void> {
        let fate = ConnectionFate()
        return WebSocketServerUpgrader<Void>(
            decide: { channel, head in
                let decision = SimulatorSockets.admit(SimulatedRequest(head), state)
                if case .accept(let fault) = decision { fate.value = fault }
                return channel.eventLoop.makeSucceededFuture(decision.answer)
            },
            makeHandler: { channel, head in
                SimulatorSockets.makeHandler(SimulatedRequest(head), state, fault: fate.value)
            },
            result: { _ in })
    }
}
