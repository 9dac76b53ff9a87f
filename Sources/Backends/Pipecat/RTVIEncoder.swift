import BackendKit

/// Neutral notices as RTVI 2.2 server messages.
enum RTVIEncoder {
    static func messages(for notice: ClientNotice, readyID: String?) -> [RTVIMessage] {
        switch notice {
        case .ready: [ready(readyID)]
        case .userStartedSpeaking: [plain("user-started-speaking")]
        case .userStoppedSpeaking: [plain("user-stopped-speaking")]
        case .userTranscript(let text, let final, _):
            [RTVIMessage(type: "user-transcription", data: ["text": text, "user_id": "", "timestamp": timestamp(), "final": final])]
        case .userTurn(let text, let input):
            [
                RTVIMessage(
                    type: "user-input",
                    data: [
                        "text": text, "input_type": input == .text ? "chat" : "transcription", "timestamp": timestamp(), "final": true,
                    ]), RTVIMessage(type: "user-llm-text", data: ["text": text]),
            ]
        case .agentThinking: [plain("bot-llm-started")]
        case .agentText(_, let text): [RTVIMessage(type: "bot-llm-text", data: ["text": text])]
        case .agentFinishedThinking: [plain("bot-llm-stopped")]
        case .sentence(let id, let text, let status): sentence(id, text, status)
        case .spoken: []
        case .agentStartedSpeaking: [plain("bot-tts-started"), plain("bot-started-speaking")]
        case .agentStoppedSpeaking: [plain("bot-tts-stopped"), plain("bot-stopped-speaking")]
        case .interrupted: [plain("bot-interrupted")]
        case .toolStarted(_, let call): [
            plain("llm-function-call-started"), RTVIMessage(type: "llm-function-call-in-progress", data: ["tool_call_id": call]),
        ]
        case .toolEnded(_, let call, let cancelled):
            [RTVIMessage(type: "llm-function-call-stopped", data: ["tool_call_id": call, "cancelled": cancelled])]
        case .latency(let latency): [metrics(latency)]
        case .error(let message, let fatal): [RTVIMessage(type: "error", data: ["error": message, "fatal": fatal])]
        case .response(let id, let type, _): [RTVIMessage(type: "server-response", id: id, data: ["t": type])]
        case .resumable(let token, let seconds):
            [RTVIMessage(type: "server-message", data: ["t": "parley-resume", "d": ["token": token, "window_seconds": seconds] as [String: Any]])]
        case .errorResponse(let id, let message): [RTVIMessage(type: "error-response", id: id, data: ["error": message])]
        }
    }

    private static func plain(_ type: String) -> RTVIMessage { RTVIMessage(type: type) }

    private static func ready(_ id: String?) -> RTVIMessage {
        let capabilities = [
            "audio_in": true, "audio_out": true, "video_in": false, "screen_in": false, "video_out": false, "metrics": true,
        ]
        return RTVIMessage(
            type: "bot-ready", id: id,
            data: ["version": RTVIMessage.version, "about": ["library": "parley"], "capabilities": capabilities])
    }

    private static func sentence(_ id: SentenceID, _ text: String, _ status: SpokenStatus) -> [RTVIMessage] {
        let output: [String: Any] = [
            "text": text, "output_type": "llm", "text_type": "text", "aggregated_by": "sentence", "segment_id": id.description,
            "will_be_spoken": true, "spoken_status": status.rawValue,
            "spoken_progress": [
                "accumulated_text": status == .completed ? text : "", "remaining_text": status == .completed ? "" : text,
            ],
        ]
        let message = RTVIMessage(type: "bot-output", data: output)
        guard status == .inProgress else { return [message] }
        return [message, RTVIMessage(type: "bot-transcription", data: ["text": text]), RTVIMessage(type: "bot-tts-text", data: ["text": text])]
    }

    private static func metrics(_ latency: TurnLatency) -> RTVIMessage {
        let processing = latency.milliseconds.sorted { $0.key.rawValue < $1.key.rawValue }.map { part, milliseconds in
            ["processor": "parley", "model": part.rawValue, "value": milliseconds / 1_000] as [String: Any]
        }
        return RTVIMessage(type: "metrics", data: ["processing": processing])
    }

    private static func timestamp() -> String { RFC3339.now() }
}
