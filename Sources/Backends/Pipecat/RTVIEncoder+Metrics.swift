import BackendKit

/// What is measured, in RTVI's words: seconds, by processor.
extension RTVIEncoder {
    func metrics(_ latency: TurnLatency) -> RTVIMessage {
        let parts = latency.milliseconds
        let processing = parts.sorted { $0.key.rawValue < $1.key.rawValue }.map { part, milliseconds in
            ["processor": "turn/\(part.rawValue)", "value": milliseconds / 1_000] as [String: Any]
        }
        var data: [String: Any] = ["processing": processing]
        let ttfb = [("llm", TurnLatency.Part.llmRequest, TurnLatency.Part.firstToken), ("tts", .ttsRequest, .firstByte)].compactMap {
            processor, request, answer -> [String: Any]? in
            guard let request = parts[request], let answer = parts[answer], answer >= request else { return nil }
            return ["processor": processor, "value": (answer - request) / 1_000]
        }
        if !ttfb.isEmpty { data["ttfb"] = ttfb }
        return RTVIMessage(type: "metrics", data: data)
    }

    func metrics(_ usage: ProviderUsage) -> RTVIMessage {
        let name: [String: Any] = ["processor": usage.kind.rawValue, "model": usage.provider]
        switch usage.kind {
        case .languageModel:
            var tokens: [String: Any] = [
                "prompt_tokens": usage.inputTokens, "completion_tokens": usage.outputTokens,
                "total_tokens": usage.inputTokens + usage.outputTokens,
            ]
            if usage.cachedInputTokens > 0 { tokens["cache_read_input_tokens"] = usage.cachedInputTokens }
            return RTVIMessage(type: "metrics", data: ["tokens": [tokens]])
        case .textToSpeech:
            return RTVIMessage(type: "metrics", data: ["characters": [name.merging(["value": usage.characters]) { $1 }]])
        case .speechToText:
            let value: [String: Any] = ["audio_seconds": usage.audioSeconds]
            return RTVIMessage(type: "metrics", data: ["stt_usage": [name.merging(["value": value]) { $1 }]])
        }
    }
}
