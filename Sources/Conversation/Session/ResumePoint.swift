package import Audio
package import SessionLog
import SwiftProtobuf

/// Where the speech of a reply goes on when another owner takes the session: at the word boundary at or before what was delivered, so that
/// a word may be heard twice and none is skipped. Where the log knows too little of a sentence's audio, the sentence begins again.
package struct ResumePoint: Sendable, Hashable {
    /// What of the reply had been heard before.
    package private(set) var heard: String
    /// Position in the reply of the next sample.
    package private(set) var position: SessionTime
    /// The sentence that speech goes on with; the number of logged sentences when all of them were heard.
    package private(set) var sentence: Int
    /// What remains of that sentence; empty when none is left.
    package private(set) var remaining: String
    /// Some of that sentence reached the caller, though perhaps no whole word.
    package private(set) var isWithinSentence = false

    /// - Parameter delivered: samples of the reply, from its first, that reached the caller; nil where nobody knows
    package init(_ reply: ReplyState, delivered: SessionTime?) {
        let start = reply.goesOn
        heard = start?.text ?? ""
        position = SessionTime(samples: start?.samples ?? 0)
        sentence = Int(start?.nextSentence ?? 0)
        remaining = ""
        let known = reply.sentences
        guard sentence < known.count else { return }
        remaining = start?.remaining ?? known[sentence].text
        if remaining.isEmpty { remaining = known[sentence].text }
        guard let delivered else { return }
        while sentence < known.count, advance(through: known[sentence].audio, to: delivered) {
            sentence += 1
            remaining = sentence < known.count ? known[sentence].text : ""
        }
        isWithinSentence = isWithinSentence || delivered > position
    }

    /// Of a reply that is not spoken: what is in the log has reached the client.
    init(written reply: ReplyState) {
        heard = reply.text
        position = .zero
        sentence = reply.sentences.count
        remaining = ""
    }

    /// Whether any of the reply was heard.
    package var hasBegun: Bool { position > .zero }

    /// The event that tells later owners.
    package func event(of reply: UInt32) -> Event.OneOf_Body {
        .heard(
            .with {
                $0.reply = reply
                $0.samples = position.samples
                $0.text = heard
                $0.nextSentence = UInt32(sentence)
                $0.remaining = remaining
            })
    }

    /// Moves on within the sentence; true when all of it was delivered.
    private mutating func advance(through audio: SentenceAudio?, to delivered: SessionTime) -> Bool {
        let offset = (delivered - position).samples
        guard let audio, offset > 0 else { return false }
        if !audio.partial, offset >= audio.samples { return hearAll(audio) }
        let marks = audio.marks.map { WordTimeline.Mark(word: $0.word, start: $0.start, end: $0.end) }
        guard let length = audio.partial ? marks.last?.end : audio.samples, length > 0 else { return false }
        // Of audio that was still on its way only the marked words are certain; the last of them is said again.
        let place = audio.partial ? min(offset, length - 1) : offset
        let timeline = WordTimeline(text: remaining, marks: marks, samples: length)
        let boundary = timeline.wordBoundary(atOrBefore: place)
        guard !boundary.remaining.isEmpty else { return hearAll(audio) }
        if remaining.hasSuffix(boundary.remaining) { hear(String(remaining.dropLast(boundary.remaining.count))) }
        isWithinSentence = true
        position += SessionTime(samples: boundary.sample)
        remaining = boundary.remaining
        return false
    }

    private mutating func hearAll(_ audio: SentenceAudio) -> Bool {
        hear(remaining)
        position += SessionTime(samples: audio.samples)
        return true
    }

    private mutating func hear(_ words: String) {
        let words = words.trimmingSpaces
        guard !words.isEmpty else { return }
        heard += heard.isEmpty ? words : " " + words
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        let front = drop(while: \.isWhitespace)
        return String(front.prefix(upTo: front.lastIndex { !$0.isWhitespace }.map { front.index(after: $0) } ?? front.startIndex))
    }
}
