import Audio
import Conversation

/// A caller's connection that writes down what it gets. Unchecked because it is confined to the loop of its session.
final class FakeMedia: MediaPort, @unchecked Sendable {
    private let trace: Trace
    /// Samples sent by reply, those sent again included.
    private(set) var samples: [ReplyNumber: Int] = [:]
    private(set) var ends: [EndReason] = []
    /// What the client was told, all of it.
    private(set) var notices: [ClientNotice] = []

    init(trace: Trace) { self.trace = trace }

    let hasMarks = false
    /// Set by tests.
    var untaken = SessionTime.zero
    /// Set by tests.
    var dropsQuietly = true
    /// What counted as heard at the last clear.
    private(set) var cleared = SessionTime.zero
    /// Set by tests: the number of the caller's message that is being handled.
    var handled: UInt64 = 0
    var client = ClientRecord(protocolName: "test", handshake: [1])

    func play(_ samples: Span<Int16>, reply: ReplyNumber, firstSample: SessionTime) {
        self.samples[reply, default: 0] += samples.count
        trace.add("audio \(reply)")
    }
    func clear(reply: ReplyNumber, heard: SessionTime) {
        cleared = heard
        trace.add("clear \(reply)")
    }
    func notify(_ notice: ClientNotice) {
        notices.append(notice)
        if let line = notice.line { trace.add("notice \(line)") }
    }
    func release(through number: UInt64) { trace.add("release \(number)") }
    /// Answers a transfer that is under way.
    private(set) var transferred: (@Sendable (_ problem: String?) -> Void)?
    func transfer(to target: String, _ done: @escaping @Sendable (_ problem: String?) -> Void) {
        trace.add("transfer to \(target)")
        transferred = done
    }
    func handOver() { trace.add("hand over") }
    func end(_ reason: EndReason) {
        ends.append(reason)
        trace.add("end \(reason.rawValue)")
    }
    func flush() {}
}

extension ClientNotice {
    /// Nil for what no test looks at.
    fileprivate var line: String? {
        switch self {
        case .ready: "ready"
        case .userTurn(let text, let input): "turn \(input.rawValue) '\(text)'"
        case .agentThinking(let reply): "thinking \(reply)"
        case .agentText(let reply, let text): "text \(reply) '\(text)'"
        case .agentFinishedThinking(let reply): "finished thinking \(reply)"
        case .replyResumed(let reply, let spoken): "resumed \(reply) '\(spoken)'"
        case .agentStartedSpeaking(let reply): "started speaking \(reply)"
        case .agentStoppedSpeaking(let reply): "stopped speaking \(reply)"
        case .interrupted(let reply): "interrupted \(reply)"
        case .toolStarted(let name, let call, _): "tool started \(call) \(name)"
        case .toolRequested(let name, let call, let arguments): "tool requested \(call) \(name) \(arguments)"
        case .toolEnded(let name, let call, let cancelled, _):
            "tool ended \(call) \(name)" + (cancelled ? " cancelled" : "")
        case .error(let message, let fatal): (fatal ? "fatal error " : "error ") + message
        case .resumable(let token, let seconds): "resumable \(token) \(seconds)"
        case .userBackchannel(let text): "backchannel '\(text)'"
        case .response(let id, let type, let json): "response \(id) \(type) \(json)"
        case .errorResponse(let id, let message): "error response \(id) \(message)"
        case .sentence(let id, let text, .textOnly): "text only \(id) '\(text)'"
        case .userStartedSpeaking, .userStoppedSpeaking, .userTranscript, .sentence, .spoken, .latency, .usage: nil
        }
    }
}
