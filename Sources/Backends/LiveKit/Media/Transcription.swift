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

    private let session: String
    /// The caller's segments of different owners of a session differ, because each counts them anew.
    private let owner: String
    private var segment: Segment?
    /// What was spoken of a reply before this owner goes on with it: a segment is told whole, since clients replace what they had.
    private var resumed: (reply: ReplyNumber, text: String)?
    /// The reply that is only written, so far.
    private var writing: (reply: ReplyNumber, text: String)?
    private var callerSegments = 1
    private var callerText = ""

    /// - Parameter owner: differs between the owners of a session
    init(session: String, owner: String) {
        self.session = session
        self.owner = owner
    }

    mutating func take(_ notice: ClientNotice) -> [Action] {
        switch notice {
        case .userTranscript(let text, let isFinal, _):
            // Recognisers repeat themselves.
            guard isFinal || text != callerText else { return [] }
            callerText = isFinal ? "" : text
            defer { if isFinal { callerSegments += 1 } }
            return [.callerText(segment: "SG_\(session)_\(owner)_u\(callerSegments)", text: text, isFinal: isFinal)]
        case .spoken(let sentence, let text, _): return speak(sentence, text)
        case .sentence(let sentence, let text, .completed): return speak(sentence, text)
        case .sentence(let sentence, let text, .textOnly): return write(sentence.reply, text)
        case .replyResumed(let reply, let text):
            if !text.isEmpty { resumed = (reply, text) }
            return []
        case .agentStoppedSpeaking(let reply), .interrupted(let reply): return end(reply)
        default: return []
        }
    }

    /// Nobody tells which sentence is the last, so every version is whole, as those of the caller are.
    private mutating func write(_ reply: ReplyNumber, _ text: String) -> [Action] {
        let before = writing?.reply == reply ? writing : resumed?.reply == reply ? resumed : nil
        let whole = if let before { before.text + " " + text } else { text }
        writing = (reply, whole)
        return [.agentText(segment: id(reply), text: whole)]
    }

    private func id(_ reply: ReplyNumber) -> String { "SG_\(session)_\(reply)" }

    private mutating func speak(_ sentence: SentenceID, _ text: String) -> [Action] {
        var actions: [Action] = []
        if let segment, segment.reply != sentence.reply { actions += end(segment.reply) }
        var current = segment ?? Segment(reply: sentence.reply, id: id(sentence.reply))
        if segment == nil { actions += open(&current) }
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

    private func open(_ segment: inout Segment) -> [Action] {
        guard let resumed, resumed.reply == segment.reply else { return [.open(segment: segment.id)] }
        segment.chunks = 1
        return [.open(segment: segment.id), .write(segment: segment.id, index: 0, text: resumed.text)]
    }

    private mutating func end(_ reply: ReplyNumber) -> [Action] {
        guard let segment, segment.reply <= reply else { return [] }
        self.segment = nil
        return [.close(segment: segment.id)]
    }
}
