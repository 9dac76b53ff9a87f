import Conversation
import HTTPClient
import NIOCore
import ProviderSupport
import WireCoding

/// Reads a stream of chat completion chunks, with the liberties that compatible servers take: a tool call in one piece or without
/// `index`, empty ids, `stop` after tool calls, repeated roles, reasoning deltas, no `[DONE]`.
struct OpenAIStreamDecoder: GenerationDecoder {
    /// A tool call being put together.
    private struct PartialCall {
        var index: Int?
        var id = ""
        var name = ""
        var arguments = ""
    }

    /// More in one answer is an accident.
    private static let maximumCalls = 64
    private static let maximumArgumentBytes = 256 << 10

    private let provider: String
    private var events = ServerSentEventParser()
    private var calls: [PartialCall] = []
    private var reason: FinishReason?
    private var usage = TokenUsage()
    private var hasUsage = false
    private var isFinished = false

    init(provider: String) { self.provider = provider }

    mutating func decode(_ bytes: ByteBuffer, _ emit: (GenerationEvent) -> Void) throws(ProviderError) {
        events.append(bytes)
        while let event = try next() { try take(event.data, emit) }
    }

    mutating func end(_ emit: (GenerationEvent) -> Void) throws(ProviderError) {
        do {
            if let event = try events.finish() { try take(event.data, emit) }
        } catch let error as ProviderError { throw error } catch { throw broken("\(error)") }
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
        if data.readableBytesView.elementsEqual("[DONE]".utf8) { return finish(emit) }
        if data.readableBytes == 0 { return }
        let json: JSONValue
        do { json = try JSONDocument(data).root } catch { throw broken("a chunk is not JSON: \(error)") }
        if json["error"].exists, !json["error"].isNull {
            throw OpenAIErrors.inStream(json["error"], provider: provider)
        }
        takeUsage(json["usage"].isObject ? json["usage"] : json["x_groq"]["usage"])
        let choice = json["choices"][0]
        // Some servers answer a streaming request with a whole message.
        let delta = choice["delta"].isObject ? choice["delta"] : choice["message"]
        if let text = delta["content"].string, !text.isEmpty { emit(.text(text)) }
        if let text = delta["refusal"].string, !text.isEmpty { emit(.text(text)) }
        for fragment in delta["tool_calls"].elements { try take(call: fragment) }
        if let word = choice["finish_reason"].string, !word.isEmpty { reason = Self.reason(word) }
        // Some servers keep the connection open instead of sending [DONE].
        if reason != nil, hasUsage { finish(emit) }
    }

    private mutating func takeUsage(_ json: JSONValue) {
        guard json.isObject else { return }
        hasUsage = true
        usage = TokenUsage(
            input: json["prompt_tokens"].int ?? 0, cachedInput: json["prompt_tokens_details"]["cached_tokens"].int ?? 0,
            output: json["completion_tokens"].int ?? 0)
    }

    private mutating func take(call json: JSONValue) throws(ProviderError) {
        let function = json["function"]
        let id = json["id"].string ?? ""
        let position = place(index: json["index"].int, id: id, hasName: function["name"].string?.isEmpty == false)
        guard calls.count <= Self.maximumCalls else { throw broken("more than \(Self.maximumCalls) tool calls") }
        if calls[position].id.isEmpty { calls[position].id = id }
        if calls[position].name.isEmpty { calls[position].name = function["name"].string ?? "" }
        let arguments = function["arguments"]
        calls[position].arguments += arguments.string ?? (arguments.isObject ? arguments.rawText : "")
        guard calls[position].arguments.utf8.count <= Self.maximumArgumentBytes else {
            throw broken("a tool call's arguments are longer than \(Self.maximumArgumentBytes) bytes")
        }
    }

    /// Which call a fragment belongs to. With an index, that one, unless its id says that the server counts wrongly; without one, the
    /// call of that id; a bare fragment continues the last call, one with a name begins another.
    private mutating func place(index: Int?, id: String, hasName: Bool) -> Int {
        let found: Int? =
            if let index {
                calls.lastIndex { $0.index == index && ($0.id == id || id.isEmpty || $0.id.isEmpty) }
            } else if !id.isEmpty { calls.lastIndex { $0.id == id } } else if !hasName { calls.indices.last } else {
                nil
            }
        if let found { return found }
        calls.append(PartialCall(index: index))
        return calls.count - 1
    }

    private mutating func finish(_ emit: (GenerationEvent) -> Void) {
        guard !isFinished else { return }
        isFinished = true
        for (position, call) in calls.enumerated() where !call.name.isEmpty {
            let id = call.id.isEmpty ? "call_\(position)_\(UInt32.random(in: 0 ... .max))" : call.id
            emit(.toolCall(ToolCall(id: id, name: call.name, arguments: JSONRepair.object(call.arguments))))
        }
        let hasCalls = calls.contains { !$0.name.isEmpty }
        emit(.finished(hasCalls ? .toolCalls : reason ?? .stop, usage))
    }

    private static func reason(_ word: String) -> FinishReason {
        switch word {
        case "stop", "eos", "end_turn": .stop
        case "length", "max_tokens": .length
        case "tool_calls", "function_call": .toolCalls
        case "content_filter": .contentFilter
        default: .other
        }
    }

    private func broken(_ what: String) -> ProviderError {
        ProviderError(.protocolViolation, provider: provider, message: what)
    }
}
