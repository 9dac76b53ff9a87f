public import Audio

/// What a client may be told. Backends encode it (RTVI messages, LiveKit streams, nothing for a phone).
public enum ClientNotice: Sendable {
    /// The agent is there; answers the client's handshake.
    case ready
    case userStartedSpeaking
    case userStoppedSpeaking
    case userTranscript(text: String, final: Bool, at: SessionTime)
    /// The caller has said something into the agent's speech that is no interruption: "mhm".
    case userBackchannel(String)
    /// A committed turn of the caller.
    case userTurn(text: String, input: TurnInputKind)
    case agentThinking(ReplyNumber)
    case agentText(ReplyNumber, String)
    case agentFinishedThinking(ReplyNumber)
    /// A sentence is about to be spoken, being spoken, or has been spoken whole.
    case sentence(SentenceID, text: String, SpokenStatus)
    /// So much of a sentence has been spoken, by whole words: in step with the audio, at most ten times a second and once more when the reply is
    /// stopped. `text` and `remaining` together are the sentence. Its end is told by `sentence` alone.
    case spoken(SentenceID, text: String, remaining: String)
    /// The agent goes on with a reply that another process began; `spoken`: the sentences of it that are spoken already.
    case replyResumed(ReplyNumber, spoken: String)
    case agentStartedSpeaking(ReplyNumber)
    case agentStoppedSpeaking(ReplyNumber)
    case interrupted(ReplyNumber)
    /// A tool is called; `arguments` is a JSON object as the model wrote it, perhaps not even JSON.
    case toolStarted(name: String, call: String, arguments: String)
    /// A tool is called that the client's program runs: it answers with `ClientInput.toolResult`. It may come twice with the same call when the tool
    /// may run twice. No `toolStarted` comes for it.
    case toolRequested(name: String, call: String, arguments: String)
    case toolEnded(name: String, call: String, cancelled: Bool, result: String)
    case latency(TurnLatency)
    case usage(ProviderUsage)
    case error(message: String, fatal: Bool)
    /// Answer to `ClientInput.request`.
    case response(id: String, type: String, json: String)
    case errorResponse(id: String, message: String)
    /// With this token the client may connect again while its session waits for it.
    case resumable(token: String, windowSeconds: Int)
}

public enum SpokenStatus: String, Sendable {
    case new, inProgress = "in-progress", completed
    /// It is not spoken: its text is all there is.
    case textOnly = "text-only"
}
