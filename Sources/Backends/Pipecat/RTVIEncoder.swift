import BackendKit
import NIOCore
import WireCoding

/// Neutral notices as RTVI server messages, in the shapes of 2.2 or, for clients of 1.x, of their time.
struct RTVIEncoder {
    var isLegacy: Bool
    var toolReports: RTVIToolReports
    /// The client wants to know of speech as such, whatever becomes of it.
    var reportsVoice: Bool

    func messages(for notice: ClientNotice) -> [RTVIMessage] {
        switch notice {
        case .ready, .userTurn, .replyResumed: []
        case .userStartedSpeaking: voice("user-started-speaking")
        case .userStoppedSpeaking: voice("user-stopped-speaking")
        case .userTranscript(let text, let final, _): transcript(text, final: final)
        case .userBackchannel(let text): [userInput(text, "backchannel", final: true)]
        case .agentThinking: [plain("bot-llm-started")]
        case .agentText(_, let text): [RTVIMessage(type: "bot-llm-text", data: ["text": text])]
        case .agentFinishedThinking: [plain("bot-llm-stopped")]
        case .sentence(let id, let text, let status): sentence(id, text, status)
        case .spoken(let id, let text, let remaining): isLegacy ? [] : [output(id, text + remaining, .inProgress, (text, remaining))]
        case .agentStartedSpeaking: [plain("bot-tts-started"), plain("bot-started-speaking")]
        case .agentStoppedSpeaking: [plain("bot-tts-stopped"), plain("bot-stopped-speaking")]
        case .interrupted: [plain("bot-interrupted")]
        case .toolStarted(let name, let call, let arguments): toolStarted(name, call, arguments, toolReports.level(of: name))
        case .toolRequested(let name, let call, let arguments): toolRequested(name, call, arguments)
        case .toolEnded(let name, let call, let cancelled, let result): toolEnded(name, call, cancelled, result)
        case .latency(let latency): [metrics(latency)]
        case .usage(let usage): [metrics(usage)]
        case .error(let message, let fatal): [RTVIMessage(type: "error", data: ["error": message, "fatal": fatal])]
        case .response(let id, let type, let json):
            [RTVIMessage(type: "server-response", id: id, data: ["t": type, "d": RTVIMessage.Raw(json: json.isEmpty ? "{}" : json)])]
        case .errorResponse(let id, let message): [RTVIMessage(type: "error-response", id: id, data: ["error": message])]
        case .resumable(let token, let seconds):
            [RTVIMessage(type: "server-message", data: ["t": "parley-resume", "d": ["token": token, "window_seconds": seconds] as [String: Any]])]
        }
    }

    private func plain(_ type: String) -> RTVIMessage { RTVIMessage(type: type) }

    /// A client of 1.x is told its own version: it decides by it which shapes it expects.
    func ready(id: String, version: RTVIVersion?) -> RTVIMessage {
        let capabilities = [
            "audio_in": true, "audio_out": true, "video_in": false, "screen_in": false, "video_out": false, "metrics": true,
        ]
        let spoken = isLegacy ? version ?? .current : .current
        return RTVIMessage(
            type: "bot-ready", id: id, data: ["version": "\(spoken)", "about": ["library": "parley"], "capabilities": capabilities])
    }

    // MARK: The caller

    private func voice(_ type: String) -> [RTVIMessage] {
        reportsVoice ? [plain("vad-" + type), plain(type)] : [plain(type)]
    }

    private func userInput(_ text: String, _ kind: String, final: Bool, id: String? = nil) -> RTVIMessage {
        var data: [String: Any] = ["text": text, "input_type": kind, "timestamp": RFC3339.now(), "final": final]
        if let id { data["msg_id"] = id }
        return RTVIMessage(type: "user-input", data: data)
    }

    private func transcript(_ text: String, final: Bool) -> [RTVIMessage] {
        let data: [String: Any] = ["text": text, "user_id": "", "timestamp": RFC3339.now(), "final": final]
        return [userInput(text, "transcription", final: final), RTVIMessage(type: "user-transcription", data: data)]
    }

    /// A turn goes to the model. Speech has been told as it was recognised, what was typed or keyed has not.
    func turn(_ text: String, _ input: TurnInputKind, id: String?) -> [RTVIMessage] {
        let turn = RTVIMessage(type: "user-llm-text", data: ["text": text])
        return switch input {
        case .speech: [turn]
        case .text: [userInput(text, "chat", final: true, id: id), turn]
        case .dtmf: transcript(text, final: true) + [turn]
        }
    }

    // MARK: What the agent says

    private func sentence(_ id: SentenceID, _ text: String, _ status: SpokenStatus) -> [RTVIMessage] {
        let transcription = RTVIMessage(type: "bot-transcription", data: ["text": text])
        switch status {
        case .new: return [output(id, text, .new, ("", text))]
        case .inProgress:
            let spoken = [transcription, RTVIMessage(type: "bot-tts-text", data: ["text": text])]
            return isLegacy ? spoken : [output(id, text, .inProgress, ("", text))] + spoken
        case .completed: return [output(id, text, .completed, (text, ""))]
        case .textOnly: return [output(id, text, .new, nil), transcription]
        }
    }

    /// `progress`: what was spoken and what is yet to be; nil for what is only written.
    private func output(_ id: SentenceID, _ text: String, _ status: SpokenStatus, _ progress: (String, String)?) -> RTVIMessage {
        if isLegacy {
            return RTVIMessage(type: "bot-output", data: ["text": text, "aggregated_by": "sentence", "spoken": status == .completed])
        }
        var data: [String: Any] = [
            "text": text, "output_type": "sentence", "text_type": "sentence", "aggregated_by": "sentence", "segment_id": Self.segment(id),
            "will_be_spoken": progress != nil, "spoken_status": status.rawValue,
        ]
        if let progress { data["spoken_progress"] = ["accumulated_text": progress.0, "remaining_text": progress.1] }
        return RTVIMessage(type: "bot-output", data: data)
    }

    /// RTVI numbers segments; a reply has fewer sentences than this.
    private static func segment(_ id: SentenceID) -> Int { Int(id.reply) * 10_000 + Int(id.index) }

    // MARK: Tools

    private func toolStarted(_ name: String, _ call: String, _ arguments: String, _ level: RTVIToolReports.Level) -> [RTVIMessage] {
        guard level > .disabled else { return [] }
        var started: [String: Any] = [:]
        var progress: [String: Any] = ["tool_call_id": call]
        if level >= .name {
            started["function_name"] = name
            progress["function_name"] = name
        }
        if level >= .arguments { progress["arguments"] = Self.object(arguments) }
        return [
            RTVIMessage(type: "llm-function-call-started", data: started),
            RTVIMessage(type: "llm-function-call-in-progress", data: progress),
        ]
    }

    /// Whoever is to run a tool must know what to run.
    private func toolRequested(_ name: String, _ call: String, _ arguments: String) -> [RTVIMessage] {
        guard isLegacy else { return toolStarted(name, call, arguments, .arguments) }
        let data: [String: Any] = ["function_name": name, "tool_call_id": call, "args": Self.object(arguments)]
        return [RTVIMessage(type: "llm-function-call", data: data)]
    }

    private func toolEnded(_ name: String, _ call: String, _ cancelled: Bool, _ result: String) -> [RTVIMessage] {
        let level = toolReports.level(of: name)
        guard level > .disabled else { return [] }
        var data: [String: Any] = ["tool_call_id": call, "cancelled": cancelled]
        if level >= .name { data["function_name"] = name }
        if level >= .full, !cancelled { data["result"] = Self.value(result) }
        return [RTVIMessage(type: "llm-function-call-stopped", data: data)]
    }

    /// Models write arguments that are no JSON object now and then.
    private static func object(_ arguments: String) -> RTVIMessage.Raw {
        let isObject = (try? JSONDocument(arguments))?.root.isObject ?? false
        return RTVIMessage.Raw(json: isObject ? arguments : "{}")
    }

    private static func value(_ text: String) -> Any {
        (try? JSONDocument(text)) == nil ? text : RTVIMessage.Raw(json: text)
    }
}
