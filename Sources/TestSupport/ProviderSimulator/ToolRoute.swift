package import NIOCore
import SimulatedHTTP
import WireCoding

/// One run of a tool.
package struct SimulatedToolCall: Sendable, Hashable {
    package var name: String
    package var key: String
    package var session: String
    /// JSON text.
    package var arguments: String
    package var at: NIODeadline

    package init(name: String, key: String, session: String, arguments: String, at: NIODeadline) {
        self.name = name
        self.key = key
        self.session = session
        self.arguments = arguments
        self.at = at
    }
}

/// `POST /tools/NAME`: a tool that runs at once and answers later, so that a worker may die in between.
enum ToolRoute {
    static let prefix = "/tools/"

    static func run(_ request: SimulatedRequest, _ exchange: SimulatedExchange, _ state: SimulatorState) {
        let call = SimulatedToolCall(
            name: String(request.path.dropFirst(prefix.count)), key: request.header("idempotency-key") ?? "",
            session: request.header("x-parley-session") ?? "", arguments: String(buffer: request.body), at: .now())
        guard !call.key.isEmpty else {
            return exchange.answer(.json(400) { $0.member("detail", "Idempotency-Key is required") })
        }
        let before = state.note(call)
        exchange.after(milliseconds: state.draw(state.configuration.tools.latency)) {
            exchange.answer(
                .json(200) {
                    $0.member("done", true)
                    $0.member("repeated", before > 0)
                })
        }
    }
}
