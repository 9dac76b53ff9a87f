/// When the parts of one turn happened. Marks are monotonic nanoseconds; the result counts from the caller's end of speech.
public struct TurnLatency: Sendable, Hashable {
    public enum Part: String, Sendable, CaseIterable {
        case endOfTurn = "end_of_turn"
        case finalTranscript = "final_transcript"
        case llmRequest = "llm_request"
        case firstToken = "first_token"
        case firstSentence = "first_sentence"
        case ttsRequest = "tts_request"
        case firstByte = "first_byte"
        case firstFrame = "first_frame"
    }

    public var turn: TurnNumber = 0
    public let reply: ReplyNumber
    public var speculative = false
    /// Monotonic nanoseconds of the caller's end of speech; nil until the turn is committed.
    public var speechEnd: Int64?
    private var marks: [Part: Int64] = [:]

    public init(reply: ReplyNumber) { self.reply = reply }

    /// Takes the first mark of each part.
    public mutating func mark(_ part: Part, at nanoseconds: Int64) {
        if marks[part] == nil { marks[part] = nanoseconds }
    }

    /// Milliseconds from the end of speech, by part; parts that did not happen are absent.
    public var milliseconds: [Part: Double] {
        guard let speechEnd else { return [:] }
        return marks.mapValues { Double($0 - speechEnd) / 1_000_000 }
    }
}
