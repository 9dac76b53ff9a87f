import Resilience

/// What a caller does who converses until the time is over: says a line, listens to its answer, sometimes speaks into
/// it, and says what nobody has answered again. Pure: time is given in nanoseconds, chance by a seed.
struct EndlessScript {
    enum Event: Equatable {
        /// The agent is there.
        case ready
        /// A word of the agent has been played.
        case word(Int, isWhole: Bool)
        case lineSaid
        case tick
    }

    enum Action: Equatable {
        case perform(Utterance)
        case hangUp
    }

    struct Utterance: Equatable {
        var line: Int
        var manner: CallRecord.Manner
        var attempt: Int
        var interrupts: Bool
    }

    enum State: Equatable {
        case connecting
        case greeted(since: Int64)
        case pausing(until: Int64)
        case saying(Utterance)
        case awaiting(Utterance, since: Int64)
        /// Hears the answer; speaks into it after so many words.
        case listening(Utterance, since: Int64, interruptAfter: Int?)
        case over
    }

    /// Nanoseconds.
    private static let second: Int64 = 1_000_000_000
    private static let greetingPatience = 8 * second
    /// Nobody has answered: the line is said again.
    private static let answerPatience = 8 * second
    /// The answer stopped: the caller goes on.
    private static let stallPatience = 6 * second
    private static let attempts = 3
    /// Beyond its time the caller waits this long for an answer.
    private static let grace = 20 * second
    /// Lines that are not said again so soon, so that what is heard twice was not said twice.
    private static let memory = 4

    private let book: ConversationBook
    private let end: Int64
    private var random: SeededRandom
    private var recent: [Int] = []
    private(set) var state = State.connecting

    init(_ book: ConversationBook, seed: UInt64, end: Int64) {
        self.book = book
        self.end = end
        random = SeededRandom(seed: seed)
    }

    mutating func handle(_ event: Event, now: Int64) -> [Action] {
        switch event {
        case .ready: if state == .connecting { state = .greeted(since: now) }
        case .word(let number, let isWhole): return heard(book.words[number], isWhole: isWhole, now)
        case .lineSaid: if case .saying(let utterance) = state { state = .awaiting(utterance, since: now) }
        case .tick: return wait(now)
        }
        return []
    }

    private mutating func heard(_ word: ConversationBook.Word, isWhole: Bool, _ now: Int64) -> [Action] {
        let isLast = isWhole && word.place + 1 == book.lengths[word.answer]
        switch state {
        case .greeted where word.answer == 0: state = isLast ? pause(now) : .greeted(since: now)
        case .awaiting(let utterance, _) where book.lines[utterance.line].answer == word.answer:
            state =
                isLast ? pause(now) : .listening(utterance, since: now, interruptAfter: interruption(of: word.answer))
        case .listening(let utterance, _, let limit) where book.lines[utterance.line].answer == word.answer:
            if let limit, word.place + 1 >= limit { return begin(now, interrupting: true) }
            state = isLast ? pause(now) : .listening(utterance, since: now, interruptAfter: limit)
        default: break
        }
        return []
    }

    private mutating func wait(_ now: Int64) -> [Action] {
        if state != .over, now >= end + Self.grace { return hangUp() }
        switch state {
        case .greeted(let since) where now - since > Self.greetingPatience: state = pause(now)
        case .pausing(let until) where now >= until: return now >= end ? hangUp() : begin(now, interrupting: false)
        case .awaiting(var utterance, let since) where now - since > Self.answerPatience:
            guard utterance.attempt < Self.attempts else {
                state = pause(now)
                return []
            }
            utterance.attempt += 1
            utterance.interrupts = false
            return perform(utterance, now)
        case .listening(_, let since, _) where now - since > Self.stallPatience: state = pause(now)
        default: break
        }
        return []
    }

    private mutating func begin(_ now: Int64, interrupting: Bool) -> [Action] {
        let digits = book.lines.indices.filter { book.lines[$0].speech == nil && !recent.contains($0) }
        let spoken = book.lines.indices.filter { book.lines[$0].speech != nil && !recent.contains($0) }
        let dice = Int.random(in: 0..<100, using: &random)
        let choice = dice < 8 && !digits.isEmpty ? digits : spoken
        guard let line = choice.randomElement(using: &random) else { return hangUp() }
        recent.append(line)
        if recent.count > min(Self.memory, spoken.count - 1) { recent.removeFirst() }
        let manner: CallRecord.Manner = book.lines[line].speech == nil ? .digits : dice < 20 ? .text : .voice
        return perform(Utterance(line: line, manner: manner, attempt: 1, interrupts: interrupting), now)
    }

    private mutating func perform(_ utterance: Utterance, _ now: Int64) -> [Action] {
        state = utterance.manner == .voice ? .saying(utterance) : .awaiting(utterance, since: now)
        return [.perform(utterance)]
    }

    private mutating func hangUp() -> [Action] {
        state = .over
        return [.hangUp]
    }

    private mutating func pause(_ now: Int64) -> State {
        .pausing(until: now + Int64.random(in: 300...1_200, using: &random) * 1_000_000)
    }

    /// One answer in five is interrupted after its first words, if it is long.
    private mutating func interruption(of answer: Int) -> Int? {
        guard book.lengths[answer] > 8, Int.random(in: 0..<5, using: &random) == 0 else { return nil }
        return Int.random(in: 2...5, using: &random)
    }
}
