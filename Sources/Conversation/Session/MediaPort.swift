package import Audio

/// The way out to the caller: a backend's media half. Used on the session's event loop only, and never calls back from inside.
package protocol MediaPort: AnyObject, Sendable {
    /// Sends the next samples of a reply, 16 kHz mono. `firstSample` counts from the reply's first sample.
    func play(_ samples: Span<Int16>, reply: ReplyNumber, firstSample: SessionTime)
    /// How much of what was played has not gone to the client yet, as far as that is known. Nothing more is played while it is too much.
    var untaken: SessionTime { get }
    /// The caller must stop hearing this reply and earlier ones at once; overtakes audio. `heard`: what of it counts as heard.
    func clear(reply: ReplyNumber, heard: SessionTime)
    /// Tells the client what happens, in the backend's own way; in order with the audio.
    func notify(_ notice: ClientNotice)
    /// Number of the caller's message that was handled last; 0 where messages have none.
    var handled: UInt64 { get }
    /// Messages of the caller up to this number are in the log, or mean nothing: they need not be kept for another worker.
    func release(through number: UInt64)
    /// What another worker needs to go on with this client.
    var client: ClientRecord { get }
    /// Another worker takes the session; the caller stays connected.
    func handOver()
    /// Ends the connection.
    func end(_ reason: EndReason)
    /// Sends what the calls of this tick have queued.
    func flush()
    /// Positions reported by the backend are exact (it has marks).
    var hasMarks: Bool { get }
}

/// A backend's own record of its client, for the log.
package struct ClientRecord: Sendable, Hashable {
    /// For people, e.g. `rtvi/2+protobuf`.
    package var protocolName: String
    /// Enough for another worker's backend to go on; empty until the client has said who it is.
    package var handshake: [UInt8]

    package init(protocolName: String, handshake: [UInt8]) {
        self.protocolName = protocolName
        self.handshake = handshake
    }
}

/// What a client may be told. Backends encode it (RTVI messages, LiveKit streams, nothing for a phone).
package enum ClientNotice: Sendable {
    /// The agent is there; answers the client's handshake.
    case ready
    case userStartedSpeaking
    case userStoppedSpeaking
    case userTranscript(text: String, final: Bool, at: SessionTime)
    /// A committed turn of the caller.
    case userTurn(text: String, input: TurnInputKind)
    case agentThinking(ReplyNumber)
    case agentText(ReplyNumber, String)
    case agentFinishedThinking(ReplyNumber)
    /// A sentence is about to be spoken, being spoken, or has been spoken whole.
    case sentence(SentenceID, text: String, SpokenStatus)
    case agentStartedSpeaking(ReplyNumber)
    case agentStoppedSpeaking(ReplyNumber)
    case interrupted(ReplyNumber)
    case toolStarted(name: String, call: String)
    case toolEnded(name: String, call: String, cancelled: Bool)
    case latency(TurnLatency)
    case error(message: String, fatal: Bool)
    /// Answer to a client's own message.
    case response(id: String, type: String, json: String)
    case errorResponse(id: String, message: String)
    /// With this token the client may connect again while its session waits for it.
    case resumable(token: String, windowSeconds: Int)
}

package enum SpokenStatus: String, Sendable { case new, inProgress = "in-progress", completed }

/// What a client may send besides audio.
package enum ClientInput: Sendable, Hashable {
    /// The client's handshake is complete; the agent may speak.
    case ready
    case text(String, interrupts: Bool, speak: Bool)
    case dtmf(String)
    case endOfTurn
    case toolResult(call: String, content: String)
    /// The client wants to end the call.
    case hangUp
}

/// Why a session ends.
package enum EndReason: String, Sendable, Hashable, CaseIterable {
    case completed, hangUp = "hang_up", clientDisconnected = "client_disconnected", idle, maxDuration = "max_duration"
    case failed, shutdown, lost, protocolError = "protocol_error"
    /// Another worker goes on; the log stays open.
    case handedOver = "handed_over"
    /// The client is connected elsewhere; the log stays open.
    case superseded

    /// WebSocket close code: 1000 for an ordinary end, 1011 for our failure, 1012 for a restart, 1002 for the client's mistake.
    package var closeCode: UInt16 {
        switch self {
        case .completed, .hangUp, .clientDisconnected, .idle, .maxDuration: 1000
        case .failed, .lost: 1011
        case .shutdown, .handedOver: 1012
        case .protocolError: 1002
        case .superseded: 4409
        }
    }
}
