import NIOCore
import SimulatedHTTP
import WebSocket
import WireCoding

/// Deepgram's `/v1/listen`: audio in, transcripts out.
final class DeepgramSocket: WebSocketHandler {
    private static let encodings = ["linear16", "mulaw", "alaw"]

    private let state: SimulatorState
    private let requestID = makeRequestID()
    private let tag: String
    private let model: String
    private let rate: Int
    private let wantsVoiceEvents: Bool
    private let fault: Fault
    private var player: FaultPlayer?
    private var recogniser: SimulatedEars
    private var idleTimer: Scheduled<Void>?
    private var lastHeard = NIODeadline.now()
    private var isClosing = false

    /// The vendor's answer to a bad key or bad parameters.
    static func refusal(_ request: SimulatedRequest, _ state: SimulatorState) -> SimulatedAnswer? {
        func bad(_ message: String) -> SimulatedAnswer { SimulatorErrors.answer(.deepgram, 400, message) }
        let key = request.credential("token") ?? request.credential("bearer") ?? protocolKey(request)
        guard state.accepts(key: key) else { return SimulatorErrors.answer(.deepgram, 401, "Invalid credentials.") }
        if let encoding = request.first("encoding"), !encodings.contains(encoding) {
            return bad("'\(encoding)' is not a supported encoding.")
        }
        if request.first("encoding") != nil, rate(request) == nil {
            return bad("sample_rate is required, from 8000 to 48000, when encoding is specified.")
        }
        if let model = request.first("model"),
            !["nova", "enhanced", "base", "whisper"].contains(where: { model.hasPrefix($0) })
        {
            return bad("No such model/language/tier combination found.")
        }
        if let endpointing = request.first("endpointing"), endpointing != "false", endpointing != "true",
            Int(endpointing) == nil
        {
            return bad("endpointing must be a number of milliseconds or false.")
        }
        if let end = request.first("utterance_end_ms"),
            (Int(end) ?? 0) < 1_000 || request.first("interim_results") != "true"
        {
            return bad("utterance_end_ms must be at least 1000 and needs interim_results=true.")
        }
        if request.first("keyterm") != nil, request.first("model")?.hasPrefix("nova-3") != true {
            return bad("keyterm is only supported by nova-3.")
        }
        return nil
    }

    init(_ request: SimulatedRequest, _ state: SimulatorState, fault: Fault) {
        self.state = state
        self.fault = fault
        tag = request.first("tag") ?? requestID
        model = request.first("model") ?? "general"
        rate = Self.rate(request) ?? 16_000
        wantsVoiceEvents = request.first("vad_events") == "true"
        recogniser = SimulatedEars(
            state.configuration.recognition, rate: rate, interims: request.first("interim_results") == "true")
        state.count {
            $0.open["deepgram", default: 0] += 1
            $0.lastTag = request.first("tag") ?? ""
        }
    }

    func opened(_ socket: WebSocket) {
        player = FaultPlayer(
            fault, on: socket.eventLoop, reset: { socket.abort() }, garbage: { socket.send(text: "}not json{") },
            error: {
                socket.send(
                    text: #"{"type":"Error","description":"Internal error","message":"simulated","variant":"NET-0000"}"#
                )
                socket.close(.internalError, reason: "NET-0000")
            })
        watchIdle(socket)
    }

    func received(binary: ByteBuffer, on socket: WebSocket) {
        lastHeard = .now()
        guard !isClosing else { return }
        if binary.readableBytes == 0 { return finish(socket) }
        state.count { $0.heardSeconds += Double(binary.readableBytes / 2) / Double(rate) }
        binary.withUnsafeReadableBytes { bytes in
            let samples = (0..<(bytes.count / 2)).lazy.map {
                Int16(littleEndian: bytes.loadUnaligned(fromByteOffset: $0 * 2, as: Int16.self))
            }
            recogniser.hear(samples, next: nextUtterance, finalMilliseconds: finalMilliseconds) { send($0, socket) }
        }
    }

    func received(text: ByteBuffer, on socket: WebSocket) {
        lastHeard = .now()
        guard !isClosing else { return }
        guard let message = try? JSONDocument(text).root, let type = message["type"].string else {
            sendError("Could not deserialize last text message.", socket)
            return socket.close(.policyViolation, reason: "DATA-0000")
        }
        switch type {
        case "KeepAlive": break
        case "Finalize":
            let did = recogniser.finalize { send($0, socket) }
            if !did {
                sendResults([], start: recogniser.heard, end: recogniser.heard, isFinal: true, forced: true, socket)
            }
        case "CloseStream": finish(socket)
        case "Configure":
            socket.send(text: #"{"type":"ConfigureSuccess"}"#)
        default: sendError("Unknown message type '\(type)'.", socket)
        }
    }

    func closed(_ socket: WebSocket, _ closure: WebSocketClosure) {
        idleTimer?.cancel()
        player?.cancel()
        state.count { $0.open["deepgram", default: 0] -= 1 }
    }

    private func nextUtterance() -> (ScriptedUtterance, finalMilliseconds: Double) {
        (state.nextUtterance(tag: tag), finalMilliseconds())
    }

    private func finalMilliseconds() -> Double {
        max(20, state.draw(state.configuration.recognition.final) * (player?.slowness ?? 1))
    }

    private func send(_ output: SimulatedRecogniser.Output, _ socket: WebSocket) {
        switch output {
        case .speechStarted(let at):
            guard wantsVoiceEvents else { return }
            sendMessage(socket) {
                $0.member("type", "SpeechStarted")
                $0.memberArray("channel") {
                    $0.int(0); $0.int(1)
                }
                $0.member("timestamp", seconds(at))
            }
        case .interim(let words, let start, let end):
            state.count { $0.interims += 1 }
            sendResults(words, start: start, end: end, isFinal: false, forced: false, socket)
        case .final(let words, let start, let end, let forced):
            state.count { $0.finals += 1 }
            sendResults(words, start: start, end: end, isFinal: true, forced: forced, socket)
        }
    }

    private func sendResults(_ words: [String], start: Int, end: Int, isFinal: Bool, forced: Bool, _ socket: WebSocket)
    {
        let step = Double(max(0, end - start)) / Double(max(1, words.count)) / Double(rate)
        sendMessage(socket) { json in
            json.member("type", "Results")
            json.memberArray("channel_index") {
                $0.int(0); $0.int(1)
            }
            json.member("duration", seconds(max(0, end - start)))
            json.member("start", seconds(start))
            json.member("is_final", isFinal)
            json.member("speech_final", isFinal && !forced)
            json.member("from_finalize", forced)
            json.memberObject("channel") { json in
                json.memberArray("alternatives") { json in
                    json.object { json in
                        json.member("transcript", words.joined(separator: " "))
                        json.member("confidence", words.isEmpty ? 0 : isFinal ? 0.99 : 0.9)
                        json.memberArray("words") { json in
                            for (index, word) in words.enumerated() {
                                json.object {
                                    $0.member("word", word.lowercased().filter { $0.isLetter || $0.isNumber })
                                    $0.member("start", seconds(start) + Double(index) * step)
                                    $0.member("end", seconds(start) + Double(index + 1) * step)
                                    $0.member("confidence", 0.99)
                                    $0.member("punctuated_word", word)
                                }
                            }
                        }
                    }
                }
            }
            json.memberObject("metadata") { modelMetadata(&$0) }
        }
    }

    private func modelMetadata(_ json: inout JSONWriter) {
        json.member("request_id", requestID)
        json.memberObject("model_info") {
            $0.member("name", model)
            $0.member("version", "2026-01-01.0")
            $0.member("arch", "simulated")
        }
        json.member("model_uuid", "00000000-0000-0000-0000-000000000000")
    }

    /// What is left, the metadata, and the end.
    private func finish(_ socket: WebSocket) {
        isClosing = true
        _ = recogniser.finalize { send($0, socket) }
        sendMessage(socket) {
            $0.member("type", "Metadata")
            $0.member("transaction_key", "deprecated")
            $0.member("request_id", requestID)
            $0.member("sha256", String(repeating: "0", count: 64))
            $0.member("created", "2026-01-01T00:00:00.000Z")
            $0.member("duration", seconds(recogniser.heard))
            $0.member("channels", 1)
        }
        socket.close()
    }

    private func sendError(_ message: String, _ socket: WebSocket) {
        sendMessage(socket) {
            $0.member("type", "Error")
            $0.member("variant", "DATA-0000")
            $0.member("description", message)
            $0.member("message", message)
        }
    }

    private func sendMessage(_ socket: WebSocket, _ body: (inout JSONWriter) -> Void) {
        guard player?.isMuted != true else { return }
        var json = JSONWriter()
        json.object(body)
        let buffer = json.buffer
        socket.send(textCapacity: buffer.readableBytes) { $0.writeImmutableBuffer(buffer) }
    }

    private func seconds(_ samples: Int) -> Double { (Double(samples) / Double(rate) * 1_000).rounded() / 1_000 }

    private func watchIdle(_ socket: WebSocket) {
        let limit = TimeAmount.milliseconds(Int64(state.configuration.recognition.idleClose))
        idleTimer = socket.eventLoop.assumeIsolated().scheduleTask(deadline: lastHeard + limit) {
            guard socket.isOpen else { return }
            guard self.lastHeard + limit <= .now() else { return self.watchIdle(socket) }
            socket.close(
                .internalError,
                reason:
                    "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001"
            )
        }
    }

    private static func rate(_ request: SimulatedRequest) -> Int? {
        request.first("sample_rate").flatMap { Int($0) }.flatMap { (8_000...48_000).contains($0) ? $0 : nil }
    }

    /// Browsers cannot set headers and send `token, KEY` as subprotocols.
    private static func protocolKey(_ request: SimulatedRequest) -> String? {
        let parts =
            request.header("sec-websocket-protocol")?.split(separator: ",").map { $0.filter { $0 != " " } } ?? []
        return parts.count == 2 && parts[0] == "token" ? parts[1] : nil
    }
}
