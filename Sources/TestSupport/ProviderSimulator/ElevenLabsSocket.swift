import NIOCore
import SimulatedHTTP
import WebSocket
import WireCoding

/// ElevenLabs' `stream-input` and `multi-stream-input`: text in, audio with alignment out.
final class ElevenLabsSocket: WebSocketHandler {
    /// One voice on the socket; `stream-input` has exactly one, without a name.
    private final class Context {
        var text = ""
        var isClosing = false
        var speech: PacedSpeech?
        var waiting: [String] = []
        var hasSpoken = false
    }

    private let state: SimulatorState
    private let isMulti: Bool
    private let rate: Int
    private let automatic: Bool
    private let fault: Fault
    private var player: FaultPlayer?
    private var contexts: [String: Context] = [:]

    static func refusal(_ request: SimulatedRequest, _ state: SimulatorState) -> SimulatedAnswer? {
        guard
            state.accepts(
                key: request.header("xi-api-key") ?? request.first("xi_api_key") ?? request.credential("bearer"))
        else {
            return SimulatorErrors.answer(.elevenlabs, 401, "Invalid API key")
        }
        guard request.path.split(separator: "/").count == 4 else {
            return SimulatorErrors.answer(.elevenlabs, 404, "A voice with that ID was not found.")
        }
        if request.first("output_format") != nil, rate(request) == nil {
            return SimulatorErrors.answer(
                .elevenlabs, 400, "Invalid output format; the simulator speaks pcm_8000 to pcm_48000.")
        }
        if let model = request.first("model_id"), !model.hasPrefix("eleven_") {
            return SimulatorErrors.answer(
                .elevenlabs, 400, "A model with model ID \(model) does not exist.", code: "model_not_found")
        }
        return nil
    }

    init(_ request: SimulatedRequest, _ state: SimulatorState, fault: Fault) {
        self.state = state
        self.fault = fault
        isMulti = request.path.hasSuffix("/multi-stream-input")
        rate = Self.rate(request) ?? 16_000
        automatic = request.first("auto_mode") == "true"
        state.count { $0.open["elevenlabs", default: 0] += 1 }
    }

    func opened(_ socket: WebSocket) {
        player = FaultPlayer(
            fault, on: socket.eventLoop, reset: { socket.abort() }, garbage: { socket.send(text: "}not json{") },
            error: { self.refuse("internal_error", "An internal error occurred.", socket, code: .internalError) })
    }

    func received(text: ByteBuffer, on socket: WebSocket) {
        guard let json = try? JSONDocument(text).root, json.isObject else {
            return refuse("invalid_message", "The message is not valid JSON.", socket)
        }
        if json["close_socket"].bool == true { return socket.close() }
        let name = isMulti ? json["context_id"].string ?? "default" : ""
        let isNew = contexts[name] == nil
        if isNew {
            if json["close_context"].bool == true { return }
            guard contexts.count < (isMulti ? state.configuration.speech.elevenLabsContexts : 1) else {
                return refuse("max_active_conversations", "Maximum simultaneous contexts exceeded", socket)
            }
            contexts[name] = Context()
            let count = contexts.count
            state.count { $0.mostContexts = max($0.mostContexts, count) }
        } else if json["voice_settings"].isObject {
            return refuse("invalid_message", "voice_settings may only be sent in the first message", socket)
        }
        guard let context = contexts[name] else { return }
        take(json, context, name, isNew: isNew, socket)
    }

    func closed(_ socket: WebSocket, _ closure: WebSocketClosure) {
        player?.cancel()
        for context in contexts.values { context.speech?.cancel() }
        contexts = [:]
        state.count { $0.open["elevenlabs", default: 0] -= 1 }
    }

    private func take(_ json: JSONValue, _ context: Context, _ name: String, isNew: Bool, _ socket: WebSocket) {
        if let text = json["text"].string, !context.isClosing {
            context.text += text
            // An empty text ends a single stream; on a multi socket it keeps the context alive.
            if text.isEmpty, !isMulti { context.isClosing = true }
        }
        if json["close_context"].bool == true { context.isClosing = true }
        let isSentence = automatic && context.text.last(where: { !$0.isWhitespace }).map { ".!?".contains($0) } == true
        if json["flush"].bool == true || json["try_trigger_generation"].bool == true || context.isClosing || isSentence
        {
            let words = context.text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            context.text = ""
            if !words.isEmpty { context.waiting.append(words) }
        }
        speak(context, name, socket)
    }

    private func speak(_ context: Context, _ name: String, _ socket: WebSocket) {
        guard context.speech == nil else { return }
        guard !context.waiting.isEmpty else {
            if context.isClosing { finish(name, socket) }
            return
        }
        let text = context.waiting.removeFirst()
        let latency = context.hasSpoken ? 0 : state.draw(state.configuration.speech.firstByte)
        context.hasSpoken = true
        context.speech = PacedSpeech(
            text, rate: rate, behaviour: state.configuration.speech, firstByte: latency,
            slowness: player?.slowness ?? 1,
            on: socket.eventLoop
        ) { piece in
            self.send(piece, name, socket)
            guard piece.isLast else { return }
            context.speech = nil
            self.speak(context, name, socket)
        }
    }

    private func finish(_ name: String, _ socket: WebSocket) {
        contexts[name] = nil
        send(socket) { json in
            json.memberNull("audio")
            json.member("isFinal", true)
            if isMulti { json.member("contextId", name) }
        }
        if !isMulti { socket.close() }
    }

    private func send(_ piece: PacedSpeech.Piece, _ name: String, _ socket: WebSocket) {
        state.count { $0.spokenSeconds += Double(piece.samples.count) / Double(rate) }
        send(socket) { json in
            json.member("audio", piece.samples.withUnsafeBytes { Base64.encode($0) })
            json.memberNull("isFinal")
            if isMulti { json.member("contextId", name) }
            alignment("alignment", piece, &json)
            alignment("normalizedAlignment", piece, &json)
        }
    }

    /// Characters of the words that begin in the piece, timed from its start.
    private func alignment(_ key: String, _ piece: PacedSpeech.Piece, _ json: inout JSONWriter) {
        guard !piece.words.isEmpty else { return json.memberNull(key) }
        var characters: [(text: String, start: Int, length: Int)] = []
        for word in piece.words {
            let start = (word.start - piece.samples.startIndex) * 1_000 / rate
            let length = (word.end - word.start) * 1_000 / rate / max(1, word.text.count)
            for (index, character) in word.text.enumerated() {
                characters.append((String(character), start + index * length, length))
            }
            characters.append((" ", start + word.text.count * length, 10))
        }
        json.memberObject(key) { json in
            json.memberArray("chars") { json in for character in characters { json.string(character.text) } }
            json.memberArray("charStartTimesMs") { json in for character in characters { json.int(character.start) } }
            json.memberArray("charDurationsMs") { json in for character in characters { json.int(character.length) } }
        }
    }

    private func refuse(
        _ error: String, _ message: String, _ socket: WebSocket, code: WebSocketClosure.Code = .policyViolation
    ) {
        send(socket) {
            $0.member("message", message)
            $0.member("error", error)
            $0.member("code", Int(code.rawValue))
        }
        socket.close(code, reason: error)
    }

    private func send(_ socket: WebSocket, _ body: (inout JSONWriter) -> Void) {
        guard player?.isMuted != true else { return }
        var json = JSONWriter()
        json.object(body)
        let buffer = json.buffer
        socket.send(textCapacity: buffer.readableBytes) { $0.writeImmutableBuffer(buffer) }
    }

    private static func rate(_ request: SimulatedRequest) -> Int? {
        guard let format = request.first("output_format"), format.hasPrefix("pcm_"),
            let rate = Int(format.dropFirst(4)),
            (8_000...48_000).contains(rate)
        else { return nil }
        return rate
    }
}
