import NIOHTTP1
import SimulatedHTTP
import WebSocket
import WireCoding

/// Which vendor a WebSocket belongs to, and whether it is let in.
enum SimulatorSockets {
    enum Decision {
        case accept(Fault), refuse(SimulatedAnswer), drop

        /// The same for the upgrade.
        var answer: WebSocketDecision {
            switch self {
            case .accept: .accept([:])
            case .refuse(let answer):
                .refuse(status: answer.status, headers: HTTPHeaders(answer.headers), body: answer.body)
            case .drop: .drop
            }
        }
    }

    static func admit(_ request: SimulatedRequest, _ state: SimulatorState) -> Decision {
        guard let vendor = vendor(request.path) else {
            return .refuse(
                SimulatedAnswer.json(404) { $0.member("detail", "no WebSocket is served at \(request.path)") })
        }
        let refusal: SimulatedAnswer? =
            switch vendor {
            case .deepgram: DeepgramSocket.refusal(request, state)
            case .elevenlabs: ElevenLabsSocket.refusal(request, state)
            case .cartesia: CartesiaSocket.refusal(request, state)
            case .openai, .anthropic: SimulatedAnswer(404, "{}")
            }
        if let refusal { return .refuse(refusal) }
        let fault = state.nextFault(vendor)
        switch fault {
        case .refuse: return .drop
        case .status(let status, let retryAfter):
            return .refuse(SimulatorErrors.answer(vendor, status, retryAfter: retryAfter))
        default: return .accept(fault)
        }
    }

    static func makeHandler(_ request: SimulatedRequest, _ state: SimulatorState, fault: Fault) -> any WebSocketHandler
    {
        switch vendor(request.path) {
        case .elevenlabs: ElevenLabsSocket(request, state, fault: fault)
        case .cartesia: CartesiaSocket(request, state, fault: fault)
        default: DeepgramSocket(request, state, fault: fault)
        }
    }

    private static func vendor(_ path: String) -> SimulatedVendor? {
        if path == "/v1/listen" { return .deepgram }
        if path == "/tts/websocket" { return .cartesia }
        if path.hasPrefix("/v1/text-to-speech/"), path.hasSuffix("stream-input") { return .elevenlabs }
        return nil
    }
}
