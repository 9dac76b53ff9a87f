import Conversation
import NIOCore
import ProviderSupport
import WireCoding

/// Writes the body of `POST /v1/messages` under the vendor's rules: the first message is the user's, roles alternate, and all results
/// of an assistant turn come in the next user message, before any text.
struct AnthropicRequestEncoder: Sendable {
    /// One content block.
    private enum Block {
        case text(String)
        case use(ToolCall)
        case result(ToolResult)
    }

    private struct Message {
        var isUser: Bool
        var blocks: [Block]
    }

    var provider: String
    var model: String
    /// Mark instructions and tools for the vendor's prompt cache.
    var caches: Bool

    /// Throws `invalidRequest` for a tool whose schema is not JSON.
    func body(_ request: GenerationRequest) throws(ProviderError) -> ByteBuffer {
        for tool in request.tools where (try? JSONDocument(tool.parametersSchema))?.root.isObject != true {
            throw ProviderError(
                .invalidRequest, provider: provider, message: "the schema of tool '\(tool.name)' is not a JSON object")
        }
        let (system, messages) = arrange(request)
        var json = JSONWriter()
        json.object { json in
            json.member("model", model)
            json.member("max_tokens", request.maxOutputTokens)
            json.member("stream", true)
            if let temperature = request.temperature { json.member("temperature", min(max(temperature, 0), 1)) }
            if !system.isEmpty {
                json.memberArray("system") { json in
                    json.object { json in
                        json.member("type", "text")
                        json.member("text", system)
                        if caches { json.memberObject("cache_control") { $0.member("type", "ephemeral") } }
                    }
                }
            }
            json.memberArray("messages") { json in for message in messages { write(message, &json) } }
            if !request.tools.isEmpty { tools(request, &json) }
        }
        return json.buffer
    }

    /// Later system messages have no place of their own: they join the instructions.
    private func arrange(_ request: GenerationRequest) -> (system: String, messages: [Message]) {
        var system = request.instructions.isEmpty ? [] : [request.instructions]
        var messages: [Message] = []
        func add(_ block: Block, isUser: Bool) {
            if messages.last?.isUser == isUser {
                messages[messages.count - 1].blocks.append(block)
            } else {
                messages.append(Message(isUser: isUser, blocks: [block]))
            }
        }
        for turn in ChatTurn.turns(of: request.context) {
            switch turn {
            case .system(let text): system.append(text)
            case .user(let text): add(.text(text), isUser: true)
            case .assistant(let text, let calls):
                // A call's results end the assistant's message: what it says next is another one.
                if !text.isEmpty { add(.text(text), isUser: false) }
                for answered in calls { add(.use(answered.call), isUser: false) }
                for answered in calls { add(.result(answered.result), isUser: true) }
            }
        }
        // The model must not begin; a caller who has only been picked up has said nothing yet.
        if messages.first?.isUser != true {
            messages.insert(Message(isUser: true, blocks: [.text("(The call begins.)")]), at: 0)
        }
        return (system.joined(separator: "\n\n"), messages)
    }

    private func write(_ message: Message, _ json: inout JSONWriter) {
        json.object { json in
            json.member("role", message.isUser ? "user" : "assistant")
            json.memberArray("content") { json in
                for block in message.blocks { json.object { write(block, &$0) } }
            }
        }
    }

    private func write(_ block: Block, _ json: inout JSONWriter) {
        switch block {
        case .text(let text):
            json.member("type", "text")
            json.member("text", text)
        case .use(let call):
            let arguments = JSONRepair.object(call.arguments)
            json.member("type", "tool_use")
            json.member("id", call.id)
            json.member("name", call.name)
            json.key("input")
            json.raw((try? JSONDocument(arguments))?.root.isObject == true ? arguments : "{}")
        case .result(let result):
            json.member("type", "tool_result")
            json.member("tool_use_id", result.callID)
            json.member("content", result.content)
            if result.isError { json.member("is_error", true) }
        }
    }

    private func tools(_ request: GenerationRequest, _ json: inout JSONWriter) {
        json.memberArray("tools") { json in
            for (index, tool) in request.tools.enumerated() {
                json.object {
                    $0.member("name", tool.name)
                    $0.member("description", tool.description)
                    $0.key("input_schema")
                    $0.raw(tool.parametersSchema)
                    if caches, index == request.tools.count - 1 {
                        $0.memberObject("cache_control") { $0.member("type", "ephemeral") }
                    }
                }
            }
        }
        json.memberObject("tool_choice") {
            switch request.toolChoice {
            case .auto: $0.member("type", "auto")
            case .none: $0.member("type", "none")
            case .required: $0.member("type", "any")
            case .named(let name):
                $0.member("type", "tool")
                $0.member("name", name)
            }
        }
    }
}
