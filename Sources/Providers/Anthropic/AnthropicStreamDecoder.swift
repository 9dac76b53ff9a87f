import Conversation
import HTTPClient
import NIOCore
import ProviderSupport
import WireCoding

/// Reads the events of a message stream. Thinking is skipped; unknown events are too.
struct AnthropicStreamDecoder: GenerationDecoder {
    private struct PartialCall {
        var index: Int
        var id: String
        var name: String
        var arguments: String
    }

    private static let maximumCalls = 64
    private static let maximumArgumentBytes = 256 << 10

    private let provider: String
    private var events = ServerSentEventParser()
    private var calls: [PartialCall] = []
    private var reason: FinishReason?
    private var usage = TokenUsage()
    private var hasCalls = false
    private var isFinished = false

    init(provider: String) { self.provider = provider }

    mutating func decode(_ bytes: ByteBuffer, _ emit: (GenerationEvent) -> Void) throws(ProviderError) {
        events.append(bytes)
        while let event = try next() { try take(event.data, emit) }
    }

    mutating func end(_ emit: (GenerationEvent) -> Void) throws(ProviderError) {
        guard isFinished || reason != nil else {
            throw ProviderError(
                .connectivity, provider: provider, message: "the stream ended before the answer was complete")
        }
        finish(emit)
    }

    private mutating func next() throws(ProviderError) -> ServerSentEvent? {
        do { return try events.next() } catch { throw broken(error.description) }
    }

    private mutating func take(_ data: ByteBuffer, _ emit: (GenerationEvent) -> Void) throws(ProviderError) {
        guard !isFinished else { return }
        let json: JSONValue
        do { json = try JSONDocument(data).root } catch { throw broken("an event is not JSON: \(error)") }
        switch json["type"].string {
        case "content_block_delta": try delta(json, emit)
        case "content_block_start": try start(json, emit)
        case "content_block_stop": stop(json["index"].int, emit)
        case "message_start": takeUsage(json["message"]["usage"])
        case "message_delta":
            takeUsage(json["usage"])
            if let word = json["delta"]["stop_reason"].string { reason = Self.reason(word) }
        case "message_stop": finish(emit)
        case "error": throw AnthropicErrors.inStream(json["error"], provider: provider)
        default: break
        }
    }

    private mutating func start(_ json: JSONValue, _ emit: (GenerationEvent) -> Void) throws(ProviderError) {
        let block = json["content_block"]
        if block["type"].equals("tool_use") {
            guard calls.count < Self.maximumCalls else { throw broken("more than \(Self.maximumCalls) tool calls") }
            let input = block["input"]
            calls.append(
                PartialCall(
                    index: json["index"].int ?? calls.count, id: block["id"].string ?? "",
                    name: block["name"].string ?? "",
                    arguments: input.members.isEmpty ? "" : input.rawText))
        } else if let text = block["text"].string, !text.isEmpty {
            emit(.text(text))
        }
    }

    private mutating func delta(_ json: JSONValue, _ emit: (GenerationEvent) -> Void) throws(ProviderError) {
        let delta = json["delta"]
        if let text = delta["text"].string {
            if !text.isEmpty { emit(.text(text)) }
        } else if let part = delta["partial_json"].string {
            let index = json["index"].int
            guard let at = calls.lastIndex(where: { $0.index == index }) ?? calls.indices.last else { return }
            calls[at].arguments += part
            guard calls[at].arguments.utf8.count <= Self.maximumArgumentBytes else {
                throw broken("a tool call's arguments are longer than \(Self.maximumArgumentBytes) bytes")
            }
        }
    }

    /// A call is complete when its block is.
    private mutating func stop(_ index: Int?, _ emit: (GenerationEvent) -> Void) {
        guard let at = calls.firstIndex(where: { $0.index == index }) else { return }
        self.emit(call: calls.remove(at: at), emit)
    }

    private mutating func emit(call: PartialCall, _ emit: (GenerationEvent) -> Void) {
        hasCalls = true
        emit(.toolCall(ToolCall(id: call.id, name: call.name, arguments: JSONRepair.object(call.arguments))))
    }

    private mutating func finish(_ emit: (GenerationEvent) -> Void) {
        guard !isFinished else { return }
        isFinished = true
        for call in calls { self.emit(call: call, emit) }
        emit(.finished(hasCalls ? .toolCalls : reason ?? .stop, usage))
    }

    /// Counts are cumulative; `message_delta` has only the output. Cached input is not part of `input_tokens`.
    private mutating func takeUsage(_ json: JSONValue) {
        if let input = json["input_tokens"].int {
            let cached = json["cache_read_input_tokens"].int ?? 0
            usage.cachedInput = cached
            usage.input = input + cached + (json["cache_creation_input_tokens"].int ?? 0)
        }
        usage.output = json["output_tokens"].int ?? usage.output
    }

    private static func reason(_ word: String) -> FinishReason {
        switch word {
        case "end_turn", "stop_sequence": .stop
        case "max_tokens", "model_context_window_exceeded": .length
        case "tool_use": .toolCalls
        case "refusal": .contentFilter
        default: .other
        }
    }

    private func broken(_ what: String) -> ProviderError {
        ProviderError(.protocolViolation, provider: provider, message: what)
    }
}
