import NIOCore
import SimulatedHTTP
import WebSocket
import WireCoding

/// Cartesia's `/tts/websocket`: contexts of transcripts in, audio with word timestamps out.
final class CartesiaSocket: WebSocketHandler {
    private final class Context {
        var waiting: [String] = []
        var isLast = false
        var wantsTimestamps = false
        var rate = 16_000
        var speech: PacedSpeech?
        var hasSpoken = false
        /// Samples of the transcripts before this one.
        var offset = 0
    }

    private let state: SimulatorState
    private let fault: Fault
    private var player: FaultPlayer?
    private var contexts: [String: Context] = [:]

    static func refusal(_ request: SimulatedRequest, _ state: SimulatorState) -> SimulatedAnswer? {
        let key = request.header("x-api-key") ?? request.first("api_key") ?? request.credential("bearer")
        guard state.accepts(key: key) else { return SimulatorErrors.answer(.cartesia, 401, "Invalid API key") }
        guard request.header("cartesia-version") ?? request.first("cartesia_version") != nil else {
            return SimulatorErrors.answer(.cartesia, 400, "Cartesia-Version header is required")
        }
        return nil
    }

    init(_ request: SimulatedRequest, _ state: SimulatorState, fault: Fault) {
        self.state = state
        self.fault = fault
        state.count { $0.open["cartesia", default: 0] += 1 }
    }

    func opened(_ socket: WebSocket) {
        player = FaultPlayer(
            fault, on: socket.eventLoop, reset: { socket.abort() }, garbage: { socket.send(text: "}not json{") },
            error: {
                let name = self.contexts.keys.sorted().first
                self.fail(500, "internal error", name, socket)
            })
    }

    func received(text: ByteBuffer, on socket: WebSocket) {
        guard let json = try? JSONDocument(text).root, json.isObject else {
            return fail(400, "invalid JSON", nil, socket)
        }
        guard let name = json["context_id"].string, !name.isEmpty else {
            return fail(400, "context_id is required", nil, socket)
        }
        if json["cancel"].bool == true {
            contexts.removeValue(forKey: name)?.speech?.cancel()
            return
        }
        if let problem = problem(json) { return fail(400, problem, name, socket) }
        if contexts[name] == nil {
            guard contexts.count < state.configuration.speech.cartesiaContexts else {
                return fail(429, "Concurrency limit reached", name, socket)
            }
            contexts[name] = Context()
        }
        guard let context = contexts[name] else { return }
        let words = (json["transcript"].string ?? "").split(whereSeparator: \.isWhitespace).joined(separator: " ")
        if !words.isEmpty { context.waiting.append(words) }
        context.isLast = json["continue"].bool != true
        context.wantsTimestamps = json["add_timestamps"].bool == true
        context.rate = json["output_format"]["sample_rate"].int ?? 16_000
        speak(context, name, socket)
    }

    func closed(_ socket: WebSocket, _ closure: WebSocketClosure) {
        player?.cancel()
        for context in contexts.values { context.speech?.cancel() }
        contexts = [:]
        state.count { $0.open["cartesia", default: 0] -= 1 }
    }

    private func problem(_ json: JSONValue) -> String? {
        guard let model = json["model_id"].string, model.hasPrefix("sonic") else { return "model_id: no such model" }
        guard json["transcript"].string != nil else { return "transcript is required" }
        guard json["voice"]["id"].string?.isEmpty == false || json["voice"]["mode"].equals("embedding") else {
            return "voice is required"
        }
        let format = json["output_format"]
        guard format["container"].equals("raw"), format["encoding"].equals("pcm_s16le"),
            let rate = format["sample_rate"].int, (8_000...48_000).contains(rate)
        else { return "output_format: the simulator speaks raw pcm_s16le from 8000 to 48000 Hz" }
        return nil
    }

    private func speak(_ context: Context, _ name: String, _ socket: WebSocket) {
        guard context.speech == nil else { return }
        guard !context.waiting.isEmpty else {
            guard context.isLast else { return }
            contexts[name] = nil
            return send(socket) {
                $0.member("type", "done")
                $0.member("done", true)
                $0.member("status_code", 200)
                $0.member("context_id", name)
            }
        }
        let text = context.waiting.removeFirst()
        let latency = context.hasSpoken ? 0 : state.draw(state.configuration.speech.firstByte)
        context.hasSpoken = true
        context.speech = PacedSpeech(
            text, rate: context.rate, behaviour: state.configuration.speech, firstByte: latency,
            slowness: player?.slowness ?? 1,
            on: socket.eventLoop
        ) { piece in
            self.send(piece, context, name, socket)
            guard piece.isLast else { return }
            context.offset += piece.samples.endIndex
            context.speech = nil
            self.speak(context, name, socket)
        }
    }

    private func send(_ piece: PacedSpeech.Piece, _ context: Context, _ name: String, _ socket: WebSocket) {
        state.count { $0.spokenSeconds += Double(piece.samples.count) / Double(context.rate) }
        send(socket) {
            $0.member("type", "chunk")
            $0.member("data", piece.samples.withUnsafeBytes { Base64.encode($0) })
            $0.member("done", false)
            $0.member("status_code", 206)
            $0.member("step_time", 10.0)
            $0.member("context_id", name)
        }
        guard context.wantsTimestamps, !piece.words.isEmpty else { return }
        func seconds(_ samples: Int) -> Double { Double(samples + context.offset) / Double(context.rate) }
        send(socket) { json in
            json.member("type", "timestamps")
            json.member("done", false)
            json.member("status_code", 206)
            json.member("context_id", name)
            json.memberObject("word_timestamps") { json in
                json.memberArray("words") { json in for word in piece.words { json.string(word.text) } }
                json.memberArray("start") { json in for word in piece.words { json.double(seconds(word.start)) } }
                json.memberArray("end") { json in for word in piece.words { json.double(seconds(word.end)) } }
            }
        }
    }

    private func fail(_ status: Int, _ message: String, _ name: String?, _ socket: WebSocket) {
        if let name { contexts.removeValue(forKey: name)?.speech?.cancel() }
        send(socket) {
            $0.member("type", "error")
            $0.member("done", true)
            $0.member("status_code", status)
            $0.member("error", message)
            if let name { $0.member("context_id", name) }
        }
    }

    private func send(_ socket: WebSocket, _ body: (inout JSONWriter) -> Void) {
        guard player?.isMuted != true else { return }
        var json = JSONWriter()
        json.object(body)
        let buffer = json.buffer
        socket.send(textCapacity: buffer.readableBytes) { $0.writeImmutableBuffer(buffer) }
    }
}
