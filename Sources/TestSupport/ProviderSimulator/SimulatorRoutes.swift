import NIOCore
import SimulatedHTTP
import WireCoding

/// Requests that are not WebSockets: the language models, the control interface.
enum SimulatorRoutes {
    static func route(_ request: SimulatedRequest, _ exchange: SimulatedExchange, _ state: SimulatorState) {
        switch (request.method, request.path) {
        case ("POST", "/v1/chat/completions"), ("POST", "/chat/completions"): OpenAIRoute.chat(request, exchange, state)
        case ("GET", "/v1/models"): OpenAIRoute.models(request, exchange, state)
        case ("POST", "/v1/messages"): AnthropicRoute.messages(request, exchange, state)
        case ("POST", "/control/script"): exchange.answer(SimulatorControl.script(request, state))
        case ("POST", "/control/faults"): exchange.answer(SimulatorControl.faults(request, state))
        case ("GET", "/control/statistics"): exchange.answer(SimulatorControl.statistics(state))
        case ("POST", let path) where path.hasPrefix(ToolRoute.prefix): ToolRoute.run(request, exchange, state)
        case ("GET", "/healthz"): exchange.answer(SimulatedAnswer(200, "ok\n", type: "text/plain"))
        default:
            exchange.answer(
                .json(404) { $0.member("detail", "nothing is served at \(request.method) \(request.path)") })
        }
    }
}

/// The interface that tests and benchmarks script a running simulator with.
enum SimulatorControl {
    /// `{"tag"?, "append"?, "utterances": ["text" | {"text", "speech_ms"?}]}`: what the callers say.
    static func script(_ request: SimulatedRequest, _ state: SimulatorState) -> SimulatedAnswer {
        guard let json = try? JSONDocument(request.body).root, json["utterances"].isArray else {
            return bad("expected {\"tag\"?, \"append\"?, \"utterances\": [\"text\" or {\"text\", \"speech_ms\"?}]}")
        }
        var script: [ScriptedUtterance] = []
        for item in json["utterances"].elements {
            guard let text = item.string ?? item["text"].string else { return bad("an utterance has no text") }
            script.append(ScriptedUtterance(text, speechMilliseconds: item["speech_ms"].int))
        }
        state.set(script: script, tag: json["tag"].string, append: json["append"].bool ?? false)
        return .json(200) { $0.member("utterances", script.count) }
    }

    /// `{"vendor", "faults": [{"kind", "after_ms"?, "status"?, "retry_after"?, "factor"?, "probability"?}]}`: with a probability the
    /// fault may meet any request from now on, without one it meets the next.
    static func faults(_ request: SimulatedRequest, _ state: SimulatorState) -> SimulatedAnswer {
        guard let json = try? JSONDocument(request.body).root, json["faults"].isArray,
            let vendor = json["vendor"].string.flatMap(SimulatedVendor.init)
        else {
            return bad(
                "expected {\"vendor\", \"faults\": [...]}; vendors: \(SimulatedVendor.allCases.map(\.rawValue).joined(separator: ", "))"
            )
        }
        var script: [Fault] = []
        var chances: [FaultPlan.Chance] = []
        for item in json["faults"].elements {
            let fault = Fault(
                kind: item["kind"].string ?? "", after: item["after_ms"].int, status: item["status"].int,
                retryAfter: item["retry_after"].double, factor: item["factor"].double)
            guard let fault else { return bad("'\(item["kind"].string ?? "")' is not a fault; known: \(Fault.kinds)") }
            if let probability = item["probability"].double {
                chances.append(.init(fault, probability: probability))
            } else {
                script.append(fault)
            }
        }
        state.append(faults: script, for: vendor)
        state.set(chances: chances, for: vendor)
        return .json(200) { $0.member("scripted", script.count) }
    }

    static func statistics(_ state: SimulatorState) -> SimulatedAnswer {
        let statistics = state.statistics
        func members(_ table: [String: Int], _ json: inout JSONWriter) {
            for key in table.keys.sorted() { json.member(key, table[key] ?? 0) }
        }
        return .json(200) {
            $0.memberObject("requests") { members(statistics.requests, &$0) }
            $0.memberObject("faults") { members(statistics.faults, &$0) }
            $0.memberObject("open") { members(statistics.open, &$0) }
            $0.member("most_contexts", statistics.mostContexts)
            $0.member("last_tag", statistics.lastTag)
            $0.member("finals", statistics.finals)
            $0.member("interims", statistics.interims)
            $0.member("tokens", statistics.tokens)
            $0.member("heard_seconds", statistics.heardSeconds)
            $0.member("spoken_seconds", statistics.spokenSeconds)
        }
    }

    private static func bad(_ message: String) -> SimulatedAnswer { .json(400) { $0.member("detail", message) } }
}

extension Fault {
    static let kinds = "none, refuse, status, reset, stall, garbage, slow, error"

    /// A fault as it is written in configuration and in the control interface; nil for an unknown kind.
    init?(kind: String, after: Int?, status: Int?, retryAfter: Double?, factor: Double?) {
        switch kind {
        case "none": self = .none
        case "refuse": self = .refuse
        case "status": self = .status(status ?? 500, retryAfter: retryAfter)
        case "reset": self = .reset(after: after ?? 0)
        case "stall": self = .stall(after: after ?? 0)
        case "garbage": self = .garbage(after: after ?? 0)
        case "slow": self = .slow(factor: factor ?? 3)
        case "error": self = .midStreamError(after: after ?? 0)
        default: return nil
        }
    }
}
