import Conversation
import NIOCore
import ProviderSupport
import WireCoding

/// Writes the body of `POST /chat/completions`.
struct OpenAIRequestEncoder: Sendable {
    var provider: String
    var model: String
    var maximumTokensName: String
    /// Sent as they are, e.g. `reasoning_effort`.
    var extras: [(name: String, value: String)] = []

    /// Throws `invalidRequest` for a tool whose schema is not JSON.
    func body(_ request: GenerationRequest) throws(ProviderError) -> ByteBuffer {
        for tool in request.tools where (try? JSONDocument(tool.parametersSchema))?.root.isObject != true {
            throw ProviderError(
                .invalidRequest, provider: provider, message: "the schema of tool '\(tool.name)' is not a JSON object")
        }
        var json = JSONWriter()
        json.object { json in
            json.member("model", model)
            json.memberArray("messages") { messages(request, &$0) }
            json.member("stream", true)
            json.memberObject("stream_options") { $0.member("include_usage", true) }
            json.member(maximumTokensName, request.maxOutputTokens)
            if let temperature = request.temperature { json.member("temperature", temperature) }
            for (name, value) in extras { json.member(name, value) }
            if !request.tools.isEmpty { tools(request, &json) }
        }
        return json.buffer
    }

    private func messages(_ request: GenerationRequest, _ json: inout JSONWriter) {
        if !request.instructions.isEmpty { message("system", request.instructions, &json) }
        for turn in ChatTurn.turns(of: request.context) {
            switch turn {
            case .system(let text): message("system", text, &json)
            case .user(let text): message("user", text, &json)
            case .assistant(let text, let calls) where calls.isEmpty: message("assistant", text, &json)
            case .assistant(let text, let calls): assistant(text, calls, &json)
            }
        }
    }

    private func message(_ role: String, _ text: String, _ json: inout JSONWriter) {
        json.object {
            $0.member("role", role)
            $0.member("content", text)
        }
    }

    private func assistant(_ text: String, _ calls: [ChatTurn.AnsweredCall], _ json: inout JSONWriter) {
        json.object { json in
            json.member("role", "assistant")
            if text.isEmpty { json.memberNull("content") } else { json.member("content", text) }
            json.memberArray("tool_calls") { json in
                for answered in calls {
                    json.object { json in
                        json.member("id", answered.call.id)
                        json.member("type", "function")
                        json.memberObject("function") {
                            $0.member("name", answered.call.name)
                            $0.member("arguments", JSONRepair.object(answered.call.arguments))
                        }
                    }
                }
            }
        }
        for answered in calls {
            json.object {
                $0.member("role", "tool")
                $0.member("tool_call_id", answered.call.id)
                $0.member("content", answered.result.content)
            }
        }
    }

    private func tools(_ request: GenerationRequest, _ json: inout JSONWriter) {
        json.memberArray("tools") { json in
            for tool in request.tools {
                json.object { json in
                    json.member("type", "function")
                    json.memberObject("function") {
                        $0.member("name", tool.name)
                        $0.member("description", tool.description)
                        $0.key("parameters")
                        $0.raw(tool.parametersSchema)
                    }
                }
            }
        }
        switch request.toolChoice {
        case .auto: json.member("tool_choice", "auto")
        case .none: json.member("tool_choice", "none")
        case .required: json.member("tool_choice", "required")
        case .named(let name):
            json.memberObject("tool_choice") {
                $0.member("type", "function")
                $0.memberObject("function") { $0.member("name", name) }
            }
        }
    }
}
