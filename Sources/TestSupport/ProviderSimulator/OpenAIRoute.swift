import NIOCore
import SimulatedHTTP
import WireCoding

/// OpenAI's `/v1/chat/completions` and `/v1/models`.
enum OpenAIRoute {
    static func chat(_ request: SimulatedRequest, _ exchange: SimulatedExchange, _ state: SimulatorState) {
        func refuse(_ status: Int, _ message: String, code: String? = nil) {
            exchange.answer(SimulatorErrors.answer(.openai, status, message, code: code))
        }
        guard state.accepts(key: request.credential("bearer")) else {
            return refuse(
                401,
                "Incorrect API key provided. You can find your API key at https://platform.openai.com/account/api-keys."
            )
        }
        guard let json = try? JSONDocument(request.body).root, json.isObject else {
            return refuse(400, "We could not parse the JSON body of your request.")
        }
        if let problem = problem(json) { return refuse(400, problem) }
        let model = json["model"].string ?? ""
        if model.contains("missing") {
            return refuse(404, "The model `\(model)` does not exist.", code: "model_not_found")
        }
        let fault = state.nextFault(.openai)
        switch fault {
        case .refuse: return exchange.reset()
        case .status(let status, let retryAfter):
            return exchange.answer(SimulatorErrors.answer(.openai, status, retryAfter: retryAfter))
        default: break
        }
        let question = question(json, knowsCues: state.configuration.language.book != nil)
        let answer = LanguageAnswer(question, state.configuration.language)
        if json["stream"].bool == true {
            stream(answer, question, json, exchange, state, fault)
        } else {
            exchange.after(milliseconds: state.draw(state.configuration.language.firstToken)) {
                exchange.answer(whole(answer, question))
            }
        }
    }

    static func models(_ request: SimulatedRequest, _ exchange: SimulatedExchange, _ state: SimulatorState) {
        guard state.accepts(key: request.credential("bearer")) else {
            return exchange.answer(SimulatorErrors.answer(.openai, 401))
        }
        exchange.answer(
            .json(200) {
                $0.member("object", "list")
                $0.memberArray("data") {
                    $0.object {
                        $0.member("id", "gpt-4o-mini")
                        $0.member("object", "model")
                        $0.member("created", 1_700_000_000)
                        $0.member("owned_by", "simulator")
                    }
                }
            })
    }

    /// What the vendor would refuse, or nil.
    private static func problem(_ json: JSONValue) -> String? {
        guard json["model"].string != nil else { return "you must provide a model parameter" }
        let messages = json["messages"].elements
        guard !messages.isEmpty else { return "Missing required parameter: 'messages'." }
        var open: Set<String> = []
        for (index, message) in messages.enumerated() {
            guard let role = message["role"].string,
                ["system", "developer", "user", "assistant", "tool"].contains(role)
            else {
                return "Invalid value for 'messages[\(index)].role'."
            }
            if role == "tool" {
                guard let id = message["tool_call_id"].string, open.remove(id) != nil else {
                    return
                        "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'."
                }
                continue
            }
            guard open.isEmpty else {
                return
                    "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
            }
            let calls = message["tool_calls"].elements
            open = Set(calls.compactMap { $0["id"].string })
            if message["content"].string == nil, !message["content"].isArray, calls.isEmpty {
                return "Invalid value for 'content': expected a string, got null."
            }
        }
        guard open.isEmpty else {
            return
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'."
        }
        for tool in json["tools"].elements where tool["function"]["name"].string?.isEmpty != false {
            return "Missing required parameter: 'tools[].function.name'."
        }
        return nil
    }

    /// `knowsCues`: a message in the user's name may be a request to go on instead of the caller's words.
    private static func question(_ json: JSONValue, knowsCues: Bool) -> LanguageQuestion {
        let messages = json["messages"].elements
        func text(_ message: JSONValue) -> String {
            message["content"].string
                ?? message["content"].elements.compactMap { $0["text"].string }.joined(separator: " ")
        }
        let users = messages.indices.filter { index in
            messages[index]["role"].equals("user") && !(knowsCues && AnswerBook.isCue(text(messages[index])))
        }
        let since = messages[((users.last ?? -1) + 1)...]
        return LanguageQuestion(
            model: json["model"].string ?? "", lastUserText: users.last.map { text(messages[$0]) } ?? "",
            userTurns: users.count, answersTool: since.contains { $0["role"].equals("tool") },
            toolNames: json["tool_choice"].equals("none")
                ? [] : json["tools"].elements.compactMap { $0["function"]["name"].string },
            inputTokens: json["messages"].rawText.utf8.count / 4,
            saidSince: since.filter { $0["role"].equals("assistant") }.map(text).joined(separator: " "),
            isContinuation: knowsCues && since.last.map(text).map(AnswerBook.isCue) ?? false)
    }

    private static func stream(
        _ answer: LanguageAnswer, _ question: LanguageQuestion, _ json: JSONValue, _ exchange: SimulatedExchange,
        _ state: SimulatorState, _ fault: Fault
    ) {
        let id = makeRequestID("chatcmpl-")
        let wantsUsage = json["stream_options"]["include_usage"].bool == true
        exchange.start(
            200,
            [
                ("content-type", "text/event-stream; charset=utf-8"), ("x-request-id", makeRequestID("req_")),
                ("x-ratelimit-remaining-requests", "9999"), ("transfer-encoding", "chunked"),
            ])
        func send(_ delta: @escaping (inout JSONWriter) -> Void, finish: String? = nil, usage: Bool = false) {
            var writer = JSONWriter(ByteBuffer(string: "data: "))
            writer.object { json in
                json.member("id", id)
                json.member("object", "chat.completion.chunk")
                json.member("created", 1_700_000_000)
                json.member("model", question.model)
                json.memberArray("choices") { json in
                    guard !usage else { return }
                    json.object { json in
                        json.member("index", 0)
                        json.memberObject("delta", delta)
                        json.memberNull("logprobs")
                        if let finish { json.member("finish_reason", finish) } else { json.memberNull("finish_reason") }
                    }
                }
                if usage { writeUsage(answer, question, &json) } else if wantsUsage { json.memberNull("usage") }
            }
            var buffer = writer.buffer
            buffer.writeString("\n\n")
            exchange.write(buffer)
        }
        var steps: [() -> Void] = []
        for (index, token) in answer.tokens.enumerated() {
            steps.append {
                if index == 0 {
                    send {
                        $0.member("role", "assistant"); $0.member("content", "")
                    }
                }
                send { $0.member("content", token) }
            }
        }
        for (index, call) in answer.calls.enumerated() {
            for (part, fragment) in LanguageAnswer.fragments(call.arguments).enumerated() {
                steps.append {
                    send { json in
                        json.memberArray("tool_calls") { json in
                            json.object { json in
                                json.member("index", index)
                                if part == 0 {
                                    json.member("id", "call_\(index)_" + id.suffix(8))
                                    json.member("type", "function")
                                }
                                json.memberObject("function") {
                                    if part == 0 { $0.member("name", call.name) }
                                    $0.member("arguments", fragment)
                                }
                            }
                        }
                    }
                }
            }
        }
        steps.append {
            send({ _ in }, finish: answer.calls.isEmpty ? "stop" : "tool_calls")
            if wantsUsage { send({ _ in }, usage: true) }
            exchange.write(ByteBuffer(string: "data: [DONE]\n\n"))
            exchange.end()
        }
        let player = FaultPlayer(
            fault, on: exchange.eventLoop, reset: { exchange.reset() },
            garbage: { exchange.write(ByteBuffer(string: "data: {\"choices\": [}\n\n")) },
            error: {
                exchange.write(
                    ByteBuffer(
                        string:
                            "data: {\"error\":{\"message\":\"simulated\",\"type\":\"server_error\",\"code\":null}}\n\n")
                )
                exchange.end()
            })
        exchange.onClose = { player.cancel() }
        LanguageWriter(steps, exchange: exchange, state: state, player: player).start()
    }

    private static func writeUsage(_ answer: LanguageAnswer, _ question: LanguageQuestion, _ json: inout JSONWriter) {
        json.memberObject("usage") {
            $0.member("prompt_tokens", question.inputTokens)
            $0.member("completion_tokens", answer.tokens.count)
            $0.member("total_tokens", question.inputTokens + answer.tokens.count)
            $0.memberObject("prompt_tokens_details") { $0.member("cached_tokens", 0) }
        }
    }

    private static func whole(_ answer: LanguageAnswer, _ question: LanguageQuestion) -> SimulatedAnswer {
        let id = makeRequestID("chatcmpl-")
        return .json(200) { json in
            json.member("id", id)
            json.member("object", "chat.completion")
            json.member("created", 1_700_000_000)
            json.member("model", question.model)
            json.memberArray("choices") { json in
                json.object { json in
                    json.member("index", 0)
                    json.memberObject("message") { json in
                        json.member("role", "assistant")
                        json.member("content", answer.tokens.joined())
                        guard !answer.calls.isEmpty else { return }
                        json.memberArray("tool_calls") { json in
                            for (index, call) in answer.calls.enumerated() {
                                json.object { json in
                                    json.member("id", "call_\(index)_" + id.suffix(8))
                                    json.member("type", "function")
                                    json.memberObject("function") {
                                        $0.member("name", call.name)
                                        $0.member("arguments", call.arguments)
                                    }
                                }
                            }
                        }
                    }
                    json.memberNull("logprobs")
                    json.member("finish_reason", answer.calls.isEmpty ? "stop" : "tool_calls")
                }
            }
            writeUsage(answer, question, &json)
        }
    }
}
