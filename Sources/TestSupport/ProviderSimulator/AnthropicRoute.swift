import NIOCore
import SimulatedHTTP
import WireCoding

/// Anthropic's `/v1/messages`.
enum AnthropicRoute {
    static func messages(_ request: SimulatedRequest, _ exchange: SimulatedExchange, _ state: SimulatorState) {
        func refuse(_ status: Int, _ message: String) {
            exchange.answer(SimulatorErrors.answer(.anthropic, status, message))
        }
        guard state.accepts(key: request.header("x-api-key") ?? request.credential("bearer")) else {
            return refuse(401, "invalid x-api-key")
        }
        guard request.header("anthropic-version") != nil else {
            return refuse(400, "anthropic-version: header is required")
        }
        guard let json = try? JSONDocument(request.body).root, json.isObject else {
            return refuse(400, "The request body is not valid JSON")
        }
        if let problem = problem(json) { return refuse(400, problem) }
        let model = json["model"].string ?? ""
        if model.contains("missing") { return refuse(404, "model: \(model)") }
        let fault = state.nextFault(.anthropic)
        switch fault {
        case .refuse: return exchange.reset()
        case .status(let status, let retryAfter):
            return exchange.answer(SimulatorErrors.answer(.anthropic, status, retryAfter: retryAfter))
        default: break
        }
        let question = question(json, knowsCues: state.configuration.language.book != nil)
        let answer = LanguageAnswer(question, state.configuration.language)
        if json["stream"].bool == true {
            stream(answer, question, exchange, state, fault)
        } else {
            exchange.after(milliseconds: state.draw(state.configuration.language.firstToken)) {
                exchange.answer(whole(answer, question))
            }
        }
    }

    /// What the vendor would refuse, or nil.
    private static func problem(_ json: JSONValue) -> String? {
        guard json["model"].string != nil else { return "model: Field required" }
        guard let tokens = json["max_tokens"].int, tokens > 0 else { return "max_tokens: Field required" }
        let messages = json["messages"].elements
        guard !messages.isEmpty else { return "messages: at least one message is required" }
        guard messages[0]["role"].equals("user") else { return "messages: first message must use the \"user\" role" }
        var due: Set<String> = []
        for (index, message) in messages.enumerated() {
            guard let role = message["role"].string, role == "user" || role == "assistant" else {
                return "messages.\(index).role: Input should be 'user' or 'assistant'"
            }
            guard message["content"].string?.isEmpty == false || !message["content"].elements.isEmpty else {
                return "messages.\(index): content must be non-empty"
            }
            let blocks = message["content"].elements
            if role == "user" {
                let results = blocks.prefix { $0["type"].equals("tool_result") }.compactMap { $0["tool_use_id"].string }
                guard results.count == blocks.count(where: { $0["type"].equals("tool_result") }) else {
                    return "messages.\(index): `tool_result` blocks must come before other content"
                }
                for id in results where !due.contains(id) {
                    return "messages.\(index).content.0: unexpected `tool_use_id` found in `tool_result` blocks: \(id)"
                }
                due.subtract(results)
            }
            guard due.isEmpty else {
                return "messages.\(index): `tool_use` ids were found without `tool_result` blocks immediately after: "
                    + due.sorted().joined(separator: ", ")
            }
            if role == "assistant" {
                for block in blocks where block["type"].equals("tool_use") {
                    guard block["input"].isObject else {
                        return "messages.\(index): tool_use.input: Input should be a valid dictionary"
                    }
                    due.insert(block["id"].string ?? "")
                }
            }
            for block in blocks where block["type"].equals("text") && block["text"].string?.isEmpty != false {
                return "messages.\(index): text content blocks must be non-empty"
            }
        }
        return due.isEmpty ? nil : "messages: `tool_use` ids were found without `tool_result` blocks immediately after"
    }

    /// `knowsCues`: a message in the user's name may be a request to go on instead of the caller's words.
    private static func question(_ json: JSONValue, knowsCues: Bool) -> LanguageQuestion {
        let messages = json["messages"].elements
        func text(_ message: JSONValue) -> String {
            message["content"].string
                ?? message["content"].elements.compactMap { $0["text"].string }.joined(separator: " ")
        }
        let users = messages.indices.filter { index in
            messages[index]["role"].equals("user") && !text(messages[index]).isEmpty
                && !(knowsCues && AnswerBook.isCue(text(messages[index])))
        }
        let since = messages[((users.last ?? -1) + 1)...]
        return LanguageQuestion(
            model: json["model"].string ?? "", lastUserText: users.last.map { text(messages[$0]) } ?? "", userTurns: users.count,
            answersTool: messages.last?["content"].elements.last?["type"].equals("tool_result") == true,
            toolNames: json["tool_choice"]["type"].equals("none")
                ? [] : json["tools"].elements.compactMap { $0["name"].string },
            inputTokens: json["messages"].rawText.utf8.count / 4,
            saidSince: since.filter { $0["role"].equals("assistant") }.map(text).joined(separator: " "),
            isContinuation: knowsCues && since.last.map(text).map(AnswerBook.isCue) ?? false)
    }

    private static func stream(
        _ answer: LanguageAnswer, _ question: LanguageQuestion, _ exchange: SimulatedExchange, _ state: SimulatorState,
        _ fault: Fault
    ) {
        let id = makeRequestID("msg_")
        exchange.start(
            200,
            [
                ("content-type", "text/event-stream; charset=utf-8"), ("request-id", makeRequestID("req_")),
                ("transfer-encoding", "chunked"),
            ])
        func send(_ type: String, _ body: @escaping (inout JSONWriter) -> Void = { _ in }) {
            var writer = JSONWriter(ByteBuffer(string: "event: \(type)\ndata: "))
            writer.object {
                $0.member("type", type)
                body(&$0)
            }
            var buffer = writer.buffer
            buffer.writeString("\n\n")
            exchange.write(buffer)
        }
        func begin(_ index: Int, _ block: @escaping (inout JSONWriter) -> Void) {
            send("content_block_start") {
                $0.member("index", index)
                $0.memberObject("content_block", block)
            }
        }
        func delta(_ index: Int, _ type: String, _ name: String, _ text: String) {
            send("content_block_delta") {
                $0.member("index", index)
                $0.memberObject("delta") {
                    $0.member("type", type)
                    $0.member(name, text)
                }
            }
        }
        func stop(_ index: Int) { send("content_block_stop") { $0.member("index", index) } }

        var steps: [() -> Void] = []
        for (at, token) in answer.tokens.enumerated() {
            steps.append {
                if at == 0 {
                    begin(0) {
                        $0.member("type", "text"); $0.member("text", "")
                    }
                    send("ping")
                }
                delta(0, "text_delta", "text", token)
                if at == answer.tokens.count - 1 { stop(0) }
            }
        }
        for (number, call) in answer.calls.enumerated() {
            let index = number + (answer.tokens.isEmpty ? 0 : 1)
            let fragments = [""] + LanguageAnswer.fragments(call.arguments)
            for (part, fragment) in fragments.enumerated() {
                steps.append {
                    if part == 0 {
                        begin(index) {
                            $0.member("type", "tool_use")
                            $0.member("id", "toolu_\(number)_" + id.suffix(8))
                            $0.member("name", call.name)
                            $0.memberObject("input") { _ in }
                        }
                    }
                    delta(index, "input_json_delta", "partial_json", fragment)
                    if part == fragments.count - 1 { stop(index) }
                }
            }
        }
        steps.append {
            send("message_delta") {
                $0.memberObject("delta") {
                    $0.member("stop_reason", answer.calls.isEmpty ? "end_turn" : "tool_use")
                    $0.memberNull("stop_sequence")
                }
                $0.memberObject("usage") { $0.member("output_tokens", answer.tokens.count) }
            }
            send("message_stop")
            exchange.end()
        }
        let player = FaultPlayer(
            fault, on: exchange.eventLoop, reset: { exchange.reset() },
            garbage: { exchange.write(ByteBuffer(string: "event: content_block_delta\ndata: {\"type\"\n\n")) },
            error: {
                send("error") {
                    $0.memberObject("error") {
                        $0.member("type", "overloaded_error")
                        $0.member("message", "Overloaded")
                    }
                }
                exchange.end()
            })
        exchange.onClose = { player.cancel() }
        let first = steps[0]
        steps[0] = {
            send("message_start") { json in
                json.memberObject("message") { head(id, question, &$0, content: { _ in }, reason: nil, output: 1) }
            }
            first()
        }
        LanguageWriter(steps, exchange: exchange, state: state, player: player).start()
    }

    private static func head(
        _ id: String, _ question: LanguageQuestion, _ json: inout JSONWriter, content: (inout JSONWriter) -> Void,
        reason: String?,
        output: Int
    ) {
        json.member("id", id)
        json.member("type", "message")
        json.member("role", "assistant")
        json.member("model", question.model)
        json.memberArray("content", content)
        if let reason { json.member("stop_reason", reason) } else { json.memberNull("stop_reason") }
        json.memberNull("stop_sequence")
        json.memberObject("usage") {
            $0.member("input_tokens", question.inputTokens)
            $0.member("cache_creation_input_tokens", 0)
            $0.member("cache_read_input_tokens", 0)
            $0.member("output_tokens", output)
        }
    }

    private static func whole(_ answer: LanguageAnswer, _ question: LanguageQuestion) -> SimulatedAnswer {
        let id = makeRequestID("msg_")
        return .json(200) { json in
            head(
                id, question, &json,
                content: { json in
                    if !answer.tokens.isEmpty {
                        json.object {
                            $0.member("type", "text")
                            $0.member("text", answer.tokens.joined())
                        }
                    }
                    for (number, call) in answer.calls.enumerated() {
                        json.object {
                            $0.member("type", "tool_use")
                            $0.member("id", "toolu_\(number)_" + id.suffix(8))
                            $0.member("name", call.name)
                            $0.key("input")
                            $0.raw(call.arguments)
                        }
                    }
                }, reason: answer.calls.isEmpty ? "end_turn" : "tool_use", output: answer.tokens.count)
        }
    }
}
