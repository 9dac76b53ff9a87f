import BackendKit
import Foundation

/// Both sides' words for frontends, on the topic `lk.transcription`. The agent's come as one stream for a reply, word by word with the audio; of
/// the caller's every version is a stream of its own under the same segment id, which clients replace.
///
/// Pure: what is to be sent comes out as actions, in order.
struct Transcription {
    enum Action: Equatable {
        /// A whole text of the caller; `isFinal` is the last of its segment.
        case callerText(segment: String, text: String, isFinal: Bool)
        /// The whole text of a reply that is only written, as far as it is there.
        case agentText(segment: String, text: String)
        case open(segment: String)
        case write(segment: String, index: UInt64, text: String)
        case close(segment: String)
    }

    private struct Segment {
        var reply: ReplyNumber
        var id: String
        var chunks: UInt64 = 0
        /// Of the sentence that is being spoken.
        var sentence: SentenceID?
        var written = ""
    }

    /// Segment ids of different owners of a session differ, because a client would append to what it has.
    private let prefix: String
    private var segment: Segment?
    /// The reply that is only written, so far.
    private var writing: (reply: ReplyNumber, text: String)?
    private var callerSegments = 1
    private var callerText = ""

    init(prefix: String) { self.prefix = prefix }

    mutating func take(_ notice: ClientNotice) -> [Action] {
        switch notice {
        case .userTranscript(let text, let isFinal, _):
            // Recognisers repeat themselves.
            guard isFinal || text != callerText else { return [] }
            callerText = isFinal ? "" : text
            defer { if isFinal { callerSegments += 1 } }
            return [.callerText(segment: "SG_\(prefix)_u\(callerSegments)", text: text, isFinal: isFinal)]
        case .spoken(let sentence, let text, _): return speak(sentence, text)
        case .sentence(let sentence, let text, .completed): return speak(sentence, text)
        case .sentence(let sentence, let text, .textOnly): return write(sentence.reply, text)
        case .agentStoppedSpeaking(let reply), .interrupted(let reply): return end(reply)
        default: return []
        }
    }

    /// Nobody tells which sentence is the last, so every version is whole, as those of the caller are.
    private mutating func write(_ reply: ReplyNumber, _ text: String) -> [Action] {
        let whole = if let writing, writing.reply == reply { writing.text + " " + text } else { text }
        writing = (reply, whole)
        return [.agentText(segment: id(reply), text: whole)]
    }

    private func id(_ reply: ReplyNumber) -> String { "SG_\(prefix)_\(reply)" }

    private mutating func speak(_ sentence: SentenceID, _ text: String) -> [Action] {
        var actions: [Action] = []
        if let segment, segment.reply != sentence.reply { actions += end(segment.reply) }
        var current = segment ?? Segment(reply: sentence.reply, id: id(sentence.reply))
        if segment == nil { actions.append(.open(segment: current.id)) }
        if current.sentence != sentence {
            if current.sentence != nil { current.written = "" }
            current.sentence = sentence
        }
        let isFirst = current.chunks == 0 || !current.written.isEmpty
        if text.hasPrefix(current.written), text.count > current.written.count {
            let new = String(text.dropFirst(current.written.count))
            // Sentences of a reply are set apart.
            actions.append(.write(segment: current.id, index: current.chunks, text: isFirst ? new : " " + new))
            current.chunks += 1
            current.written = text
        }
        segment = current
        return actions
    }

    private mutating func end(_ reply: ReplyNumber) -> [Action] {
        guard let segment, segment.reply <= reply else { return [] }
        self.segment = nil
        return [.close(segment: segment.id)]
    }
}
