/// When the parts of one turn happened. Marks are monotonic nanoseconds; the result counts from the caller's end of speech.
package struct TurnLatency: Sendable, Hashable {
    package enum Part: String, Sendable, CaseIterable {
        case endOfTurn = "end_of_turn"
        case finalTranscript = "final_transcript"
        case llmRequest = "llm_request"
        case firstToken = "first_token"
        case firstSentence = "first_sentence"
        case ttsRequest = "tts_request"
        case firstByte = "first_byte"
        case firstFrame = "first_frame"
    }

    package var turn: TurnNumber = 0
    package let reply: ReplyNumber
    package var speculative = false
    /// Monotonic nanoseconds of the caller's end of speech; nil until the turn is committed.
    package var speechEnd: Int64?
    private var marks: [Part: Int64] = [:]

    package init(reply: ReplyNumber) { self.reply = reply }

    /// Takes the first mark of each part.
    package mutating func mark(_ part: Part, at nanoseconds: Int64) {
        if marks[part] == nil { marks[part] = nanoseconds }
    }

    /// Milliseconds from the end of speech, by part; parts that did not happen are absent.
    package var milliseconds: [Part: Double] {
        guard let speechEnd else { return [:] }
        return marks.mapValues { Double($0 - speechEnd) / 1_000_000 }
    }
}
