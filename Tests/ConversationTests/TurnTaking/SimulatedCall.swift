import Audio
import Conversation

/// Runs `TurnTaking` on session time with a caller, a recogniser and an agent of fixed delays, and writes down what it answers.
///
/// It performs effects as a session does: timers fire at their time, a committed or speculative reply is heard after the chain's
/// delay, a pause stops its position. Nothing sleeps.
struct SimulatedCall {
    struct Agent {
        /// Seconds from the request to the first text, and from text to audio.
        var text = 0.3
        var speech = 0.2
        var duration = 5.0
        var interruptible = true
    }

    struct Entry: Equatable {
        var at: Double
        var effect: TurnEffect
    }

    private enum Event {
        case input(TurnInput)
        case replyReady(ReplyNumber)
        case replyHeard(ReplyNumber)
        case replyOver(ReplyNumber)
    }

    private struct Reply {
        var requestedAt: Double
        var speechRequestedAt: Double?
        var committedAt: Double?
    }

    private(set) var entries: [Entry] = []
    private(set) var states: [(at: Double, name: String)] = []
    /// Seconds of each reply that were played before it ended or was stopped.
    private(set) var played: [ReplyNumber: Double] = [:]
    private(set) var inputs: [TimedTurnInput] = []
    /// Answers to `requestVerdict`, in turn; nil = never answered.
    var verdicts: [(delay: Double, probability: Double?)] = []

    private var turns: TurnTaking
    private let agent: Agent
    private var queue: [(at: Double, order: Int, event: Event)] = []
    private var order = 0
    private var timers: [TurnTimer: SessionTime] = [:]
    private var replies: [ReplyNumber: Reply] = [:]
    private var speculation: (id: UInt32, reply: ReplyNumber)?
    private var nextReply: ReplyNumber = 1
    private var current: ReplyNumber?
    private var isPaused = false
    private var isHeard = false
    private var waitsForResume = false
    private var position = 0.0
    private var runningSince = 0.0
    private(set) var now = 0.0

    init(_ settings: TurnSettings, agent: Agent = Agent()) {
        turns = TurnTaking(settings: settings)
        self.agent = agent
    }

    // MARK: The script

    mutating func at(_ seconds: Double, _ input: TurnInput) { add(seconds, .input(input)) }

    /// Speech as a VAD reports it; with `text` the recogniser's interims every 100 ms and its final transcript.
    mutating func speech(
        _ start: Double, _ end: Double, _ text: String? = nil, interims: Bool = true, final: Double? = 0.2,
        silence: Double = 0.5,
        endsUtterance: Bool = true
    ) {
        at(start + 0.05, .speechStarted(start: SessionTime(seconds: start)))
        at(end + silence, .speechEnded(end: SessionTime(seconds: end)))
        guard let text else { return }
        let words = text.split(separator: " ")
        if interims {
            var time = start + 0.2
            while time < end {
                let count = Int((time - start) / (end - start) * Double(words.count) + 0.5)
                if count > 0 { at(time, .interim(text: words.prefix(count).joined(separator: " "))) }
                time += 0.1
            }
        }
        if let final { at(end + final, .final(text: text, confidence: 0.9, endsUtterance: endsUtterance)) }
    }

    // MARK: Running

    mutating func run(until end: Double = 60) {
        while let (time, event) = next(before: end) {
            now = max(now, time)
            switch event {
            case .timer(let timer):
                timers[timer] = nil
                take(.timer(timer))
            case .event(.input(let input)): take(input)
            case .event(.replyReady(let reply)):
                guard reply == current else { break }
                take(.replyReady(reply))
                if isPaused { waitsForResume = true } else { begin(reply) }
            case .event(.replyHeard(let reply)): if reply == current { begin(reply) }
            case .event(.replyOver(let reply)):
                guard reply == current, isHeard, !isPaused, position + now - runningSince >= agent.duration - 0.001
                else { break }
                endPlayout()
                take(.replyFinished(reply))
            }
        }
        now = end
    }

    private enum Step { case timer(TurnTimer), event(Event) }

    private mutating func next(before end: Double) -> (Double, Step)? {
        let timer = timers.min { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }
        let event = queue.indices.min { (queue[$0].at, queue[$0].order) < (queue[$1].at, queue[$1].order) }
        if let event, queue[event].at <= end, timer.map({ queue[event].at <= $0.value.seconds }) ?? true {
            let taken = queue.remove(at: event)
            return (taken.at, .event(taken.event))
        }
        guard let timer, timer.value.seconds <= end else { return nil }
        return (timer.value.seconds, .timer(timer.key))
    }

    private mutating func add(_ seconds: Double, _ event: Event) {
        order += 1
        queue.append((seconds, order, event))
    }

    private mutating func take(_ input: TurnInput) {
        let time = SessionTime(seconds: now)
        inputs.append(TimedTurnInput(at: time, input: input))
        for effect in turns.handle(input, at: time) {
            entries.append(Entry(at: now, effect: effect))
            perform(effect)
        }
    }

    private mutating func perform(_ effect: TurnEffect) {
        switch effect {
        case .setTimer(let timer, let due): timers[timer] = due
        case .cancelTimer(let timer): timers[timer] = nil
        case .startSpeculation(let id, _): speculation = (id, makeReply())
        case .speakSpeculation(let id):
            if let speculation, speculation.id == id { replies[speculation.reply]?.speechRequestedAt = now }
        case .cancelSpeculation: speculation = nil
        case .commit(let turn, let id): if turn.endedBy != .hangUp { answer(id) }
        case .pausePlayout:
            isPaused = true
            if isHeard { position += now - runningSince }
        case .resumePlayout:
            isPaused = false
            runningSince = now
            if let current, waitsForResume { add(now, .replyHeard(current)) }
            if let current, isHeard { add(now + agent.duration - position, .replyOver(current)) }
            waitsForResume = false
        case .stopPlayout: endPlayout()
        case .requestVerdict(let id, _, _):
            guard !verdicts.isEmpty else { break }
            let verdict = verdicts.removeFirst()
            at(now + verdict.delay, .verdict(id: id, probability: verdict.probability))
        case .finalizeTranscript, .userStartedSpeaking, .userStoppedSpeaking, .ignored, .idle, .ended: break
        }
    }

    private mutating func makeReply() -> ReplyNumber {
        let number = nextReply
        nextReply += 1
        replies[number] = Reply(requestedAt: now)
        return number
    }

    private mutating func answer(_ id: UInt32?) {
        let number: ReplyNumber
        if let id, let speculation, speculation.id == id { number = speculation.reply } else { number = makeReply() }
        speculation = nil
        guard let reply = replies[number] else { return }
        let text = reply.requestedAt + agent.text
        let asked = reply.speechRequestedAt.map { max($0, text) } ?? max(now, text)
        current = number
        isHeard = false
        add(max(now, asked + agent.speech), .replyReady(number))
    }

    private mutating func begin(_ reply: ReplyNumber) {
        isHeard = true
        position = 0
        runningSince = now
        add(now + agent.duration, .replyOver(reply))
        take(.replyStarted(reply, interruptible: agent.interruptible))
    }

    private mutating func endPlayout() {
        if let current { played[current] = isHeard ? rounded(position + (isPaused ? 0 : now - runningSince)) : 0 }
        current = nil
        isHeard = false
        isPaused = false
        waitsForResume = false
        position = 0
    }

    // MARK: What came of it

    var isSpeaking: Bool { isHeard && !isPaused }
    var openTimers: [TurnTimer] { timers.keys.sorted { $0.rawValue < $1.rawValue } }

    /// Times of the effects that match, in seconds rounded to milliseconds.
    func times(_ matches: (TurnEffect) -> Bool) -> [Double] {
        entries.filter { matches($0.effect) }.map { rounded($0.at) }
    }

    var commits: [CommittedTurn] {
        entries.compactMap { if case .commit(let turn, _) = $0.effect { turn } else { nil } }
    }
    var commitTimes: [Double] { times { if case .commit = $0 { true } else { false } } }
    var stops: [Double] { times { if case .stopPlayout = $0 { true } else { false } } }
    var pauses: [Double] { times { $0 == .pausePlayout } }
    var resumes: [Double] { times { $0 == .resumePlayout } }
    var ignored: [IgnoredReason] {
        entries.compactMap { if case .ignored(_, let reason) = $0.effect { reason } else { nil } }
    }
    /// Times at which replies began to be heard.
    var starts: [Double] {
        inputs.compactMap { if case .replyStarted = $0.input { rounded($0.at.seconds) } else { nil } }
    }
    var ends: [Double] {
        inputs.compactMap { if case .replyFinished = $0.input { rounded($0.at.seconds) } else { nil } }
    }

    private func rounded(_ seconds: Double) -> Double { (seconds * 1_000).rounded() / 1_000 }
}
