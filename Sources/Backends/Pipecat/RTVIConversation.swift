import BackendKit
import NIOCore
import WireCoding

/// One client's side of RTVI 2.2, whatever its messages travel in. A value: messages in, messages out.
struct RTVIConversation {
    /// Typed text beyond this is refused: no model takes it, and every owner of the session would carry it along.
    static let longestText = 32 << 10
    private static let mostKeys = 64

    /// What the client says it speaks; nil before its `client-ready`. 0.0.0 for one that did not say it in a way that can be understood.
    private(set) var version: RTVIVersion?
    /// The hook for `pipecat eval`; nil where the operator has not switched it on.
    var evaluation: RTVIEvaluation?
    /// Id of the `client-ready` that is still to be answered.
    private var readyID: String?
    /// Id of the typed text that has not become a turn yet.
    private var textID: String?

    /// `handshake`: what `handshake` said of the client; empty for a new one.
    init(handshake: [UInt8], evaluates: Bool = false) {
        let lines = String(decoding: handshake, as: UTF8.self).split(separator: "\n", maxSplits: 1)
        if let first = lines.first, first.hasPrefix("rtvi=") {
            let known = String(first.dropFirst(5))
            version = RTVIVersion(known) ?? RTVIVersion(major: Int(known) ?? 0, minor: 0, patch: 0)
        }
        if evaluates { evaluation = RTVIEvaluation(record: lines.count > 1 ? lines[1] : "") }
    }

    /// Enough for another worker to go on with the client: its version, and behind it what the harness has asked for.
    var handshake: [UInt8] {
        let client = version.map { "rtvi=\($0)" } ?? "raw"
        return Array((evaluation.map { "\(client)\n\($0.record)" } ?? client).utf8)
    }

    // MARK: In

    /// Tells what a message means. `wrap` puts an answer into the client's framing.
    mutating func decode(_ json: ByteBuffer, wrap: (RTVIMessage) -> WireMessage, _ take: (ClientMessage) -> Void) {
        do throws(RTVIProblem) {
            let request = try RTVIRequest(json)
            for message in try meaning(of: request, take) {
                switch message {
                case .input(let input): take(.input(input))
                case .answer(let answer): take(.answer(wrap(answer)))
                case .recordChanged: take(.recordChanged)
                }
            }
        } catch {
            take(.answer(wrap(error.message)))
        }
    }

    enum Meaning {
        case input(ClientInput)
        case answer(RTVIMessage)
        case recordChanged
    }

    private mutating func meaning(of request: RTVIRequest, _ take: (ClientMessage) -> Void) throws(RTVIProblem) -> [Meaning] {
        switch request.type {
        case "raw-audio", "raw-audio-batch":
            try audio(request, take)
            return []
        case "client-ready": return ready(request)
        case "disconnect-bot": return [.input(.hangUp)]
        case "client-message": return try clientMessage(request)
        case "send-text": return [.input(try text(request))]
        case "dtmf": return [.input(.dtmf(try keys(request)))]
        case "llm-function-call-result": return [.input(try toolResult(request))]
        case "send-file": throw request.problem("this agent takes no files")
        case "ui-event", "ui-snapshot", "ui-cancel-job-group": throw request.problem("this agent does not work with the client's user interface")
        default: throw RTVIProblem("Unsupported type \(request.type)", id: request.id)
        }
    }

    private func audio(_ request: RTVIRequest, _ take: (ClientMessage) -> Void) throws(RTVIProblem) {
        guard let rate = request.data["sampleRate"].int, let channels = request.data["numChannels"].int else {
            throw request.problem("'sampleRate' and 'numChannels' must be whole numbers")
        }
        let batch = request.data["base64AudioBatch"]
        let chunks = batch.isArray ? batch.elements : [request.data["base64Audio"]]
        for chunk in chunks {
            var bytes = ByteBuffer()
            let isValid = chunk.withRawString { Base64.decode($0, into: &bytes) }
            guard let isValid else { throw request.problem("'base64Audio' or 'base64AudioBatch' must have audio as text") }
            guard isValid else { throw request.problem("the audio is not base64") }
            take(.audio(bytes, sampleRate: rate, channels: channels))
        }
    }

    private mutating func ready(_ request: RTVIRequest) -> [Meaning] {
        let text = request.data["version"].string
        let known = text.flatMap { RTVIVersion($0) }
        version = known ?? RTVIVersion(major: 0, minor: 0, patch: 0)
        readyID = request.id
        guard let problem = Self.problem(with: known, text) else { return [.input(.ready)] }
        return [.answer(RTVIProblem("\(problem). Compatibility issues may occur.", id: request.id).message), .input(.ready)]
    }

    /// A client of another version is told so, and served as well as may be.
    private static func problem(with version: RTVIVersion?, _ text: String?) -> String? {
        guard let text else { return "client-ready names no version" }
        guard let version else { return "'\(text.prefix(32))' is not a version like \(RTVIVersion.current)" }
        return version.isSupported ? nil : "RTVI \(version) is not compatible with \(RTVIVersion.current)"
    }

    private mutating func clientMessage(_ request: RTVIRequest) throws(RTVIProblem) -> [Meaning] {
        guard let type = request.data["t"].string else { throw request.problem("'t' must be a text") }
        if let messages = try evaluation?.messages(for: type, request.data["d"], request) { return messages }
        guard let id = request.id else { throw request.problem("without 'id' there is nothing to answer") }
        return [.input(.request(id: id, type: type, json: request.data["d"].rawText))]
    }

    private mutating func text(_ request: RTVIRequest) throws(RTVIProblem) -> ClientInput {
        guard let text = request.data["content"].string else { throw request.problem("'content' must be a text") }
        guard text.utf8.count <= Self.longestText else {
            throw request.problem("'content' has \(text.utf8.count) bytes; at most \(Self.longestText) are taken")
        }
        let options = request.data["options"]
        textID = request.id
        return .text(
            text, interrupts: try flag("run_immediately", options["run_immediately"], request),
            speak: try flag("audio_response", options["audio_response"], request))
    }

    /// True unless the client says otherwise.
    private func flag(_ name: String, _ value: JSONValue, _ request: RTVIRequest) throws(RTVIProblem) -> Bool {
        guard value.exists, !value.isNull else { return true }
        guard let flag = value.bool else { throw request.problem("'\(name)' must be true or false") }
        return flag
    }

    private func keys(_ request: RTVIRequest) throws(RTVIProblem) -> String {
        let buttons = request.data["buttons"].elements.map { $0.string ?? "" }
        guard (1...Self.mostKeys).contains(buttons.count), buttons.allSatisfy({ $0.count == 1 && "0123456789*#".contains($0) }) else {
            throw request.problem("'buttons' must be 1 to \(Self.mostKeys) of the texts 0 to 9, * and #")
        }
        return buttons.joined()
    }

    private func toolResult(_ request: RTVIRequest) throws(RTVIProblem) -> ClientInput {
        guard let call = request.data["tool_call_id"].string else { throw request.problem("'tool_call_id' must be a text") }
        let result = request.data["result"]
        guard result.exists else { throw request.problem("'result' is missing") }
        return .toolResult(call: call, content: result.string ?? result.rawText)
    }

    // MARK: Out

    /// The messages for a notice, in order.
    mutating func encode(_ notice: ClientNotice) -> [RTVIMessage] {
        let encoder = RTVIEncoder(
            isLegacy: version?.isLegacy ?? false, toolReports: evaluation?.toolReports ?? .standard, reportsVoice: evaluation?.reportsVoice ?? false)
        switch notice {
        case .ready:
            // Who has not asked is not answered.
            guard let id = readyID else { return [] }
            readyID = nil
            return [encoder.ready(id: id, version: version)]
        case .userTurn(let text, let input):
            let id = input == .text ? textID : nil
            if input == .text { textID = nil }
            return encoder.turn(text, input, id: id)
        default: return encoder.messages(for: notice)
        }
    }

    /// An error for a client that has not been understood yet, whatever it speaks.
    static func fatal(_ text: String) -> RTVIMessage { RTVIMessage(type: "error", data: ["error": text, "fatal": true]) }

    /// A caller that waits for a worker is told its place in the line, from 1.
    static func waiting(position: Int) -> RTVIMessage {
        RTVIMessage(type: "server-message", data: ["t": "parley-queue", "d": ["position": position]])
    }
}
