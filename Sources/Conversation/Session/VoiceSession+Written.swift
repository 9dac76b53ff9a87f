import SessionLog
import SwiftProtobuf

/// Replies that are not spoken: neither voice nor playout has a part in them.
extension VoiceSession {
    /// The sentences of a reply that is not spoken are the client's at once.
    func write(_ number: ReplyNumber) {
        while let reply = replies[number], reply.isCommitted, reply.spoken < reply.sentences.count {
            replies[number]?.spoken += 1
            replies[number]?.played += 1
            logSentence(number, reply.spoken)
        }
    }

    /// Of a reply that is not spoken, what was written is what the caller knows.
    func logTextOnly(_ reply: Reply, interrupted: Bool) {
        log(.heard(.with {
            $0.reply = reply.number
            $0.text = reply.sentences.joined(separator: " ")
            $0.interrupted = interrupted
        }))
    }
}
