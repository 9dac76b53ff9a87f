import CallerSimulator

/// Compares the words of the agent that a caller heard with the replies in the record: none skipped, none more than
/// twice, at most one in a row repeated.
struct ChaosWordCheck {
    /// Less of a word than this is not heard: 20 ms.
    private static let shortest = 20

    private struct Reply {
        var number: Int
        /// Numbers of its words in the book.
        var words: [Int]
        var mayEnd: Bool
        /// How often each word was heard.
        var heard: [Int]
        /// The word that is due.
        var next = 0
    }

    private let call: CallRecord
    private let name: String
    private let book: ConversationBook
    private var replies: [Reply] = []
    private var current = 0
    private var violations: [ChaosViolation] = []
    private var lastAt: Int64 = 0

    init(call: CallRecord, session: ChaosSession, book: ConversationBook) {
        self.call = call
        self.book = book
        name = "\(call.caller) \(session.session)"
        for reply in session.replies {
            var words: [Int] = []
            for word in ConversationBook.split(reply.text) {
                if let number = book.number(of: word) {
                    words.append(number)
                } else {
                    add(.unloggedWords, nil, "reply \(reply.number) has the word '\(word)', which is in no answer")
                }
            }
            let isLast = reply.number == session.replies.last?.number
            replies.append(
                Reply(
                    number: reply.number, words: words, mayEnd: reply.isInterrupted || isLast && !reply.isComplete,
                    heard: Array(repeating: 0, count: words.count)))
        }
    }

    mutating func run() -> [ChaosViolation] {
        let heard = call.played.filter { $0.milliseconds >= Self.shortest }
        for played in heard { hear(played) }
        if current < replies.count { leave(current, for: nil) }
        if call.unknownMilliseconds > 200 {
            add(.unloggedWords, nil, "\(call.unknownMilliseconds) ms of the agent's voice are no known words")
        }
        return violations
    }

    private mutating func hear(_ played: CallRecord.Played) {
        lastAt = played.at
        guard let target = target(of: played) else {
            return add(
                .unloggedWords, played.at, "'\(text(played.word))' was heard, and no reply in the record has it there")
        }
        if target > current { leave(current, for: target) }
        current = target
        guard let place = replies[target].words.firstIndex(of: played.word) else { return }
        note(place, played)
    }

    /// The reply that the word belongs to: this one, or one behind it.
    private func target(of played: CallRecord.Played) -> Int? {
        guard current < replies.count else { return nil }
        let later = replies.indices.first { $0 > current && replies[$0].words.contains(played.word) }
        guard let place = replies[current].words.firstIndex(of: played.word) else { return later }
        // The same answer was given twice in a row: from its begin it is the second one, if the first may be over.
        let isOver = replies[current].next == replies[current].words.count || replies[current].mayEnd
        if let later, place == 0, replies[current].next > 1, isOver, replies[later].words.first == played.word {
            return later
        }
        return current
    }

    private mutating func note(_ place: Int, _ played: CallRecord.Played) {
        let reply = replies[current]
        if place > reply.next {
            let skipped = reply.words[reply.next..<place].map(text).joined(separator: " ")
            add(
                .skippedWords, played.at,
                "reply \(reply.number): '\(skipped)' was skipped before '\(text(played.word))'")
        } else if place + 1 < reply.next {
            let repeated = reply.words[place..<reply.next].map(text).joined(separator: " ")
            add(.repeatedWords, played.at, "reply \(reply.number): '\(repeated)' was heard again")
        }
        replies[current].heard[place] += 1
        if replies[current].heard[place] == 3 {
            add(.repeatedWords, played.at, "reply \(reply.number): '\(text(played.word))' was heard three times")
        }
        replies[current].next = played.isWhole ? place + 1 : place
    }

    /// The caller has heard the last of a reply, and of those that lie before the next one heard.
    private mutating func leave(_ from: Int, for next: Int?) {
        for index in from..<(next ?? from + 1) {
            let reply = replies[index]
            guard reply.next < reply.words.count, !reply.mayEnd else { continue }
            let skipped = reply.words[reply.next...].map(text).joined(separator: " ")
            add(.skippedWords, lastAt, "reply \(reply.number): its end '\(skipped)' was not heard")
        }
    }

    private func text(_ word: Int) -> String { book.words[word].text }

    private mutating func add(_ kind: ChaosViolation.Kind, _ at: Int64?, _ detail: String) {
        violations.append(ChaosViolation(kind: kind, call: name, at: at, detail: detail))
    }
}
