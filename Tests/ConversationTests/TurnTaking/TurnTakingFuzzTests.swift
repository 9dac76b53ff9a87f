import Audio
import Foundation
import Testing

@testable import Conversation

/// Thousands of random conversations, most of them nonsense, against what must hold in all of them.
@Suite struct TurnTakingFuzzTests {
    /// A session that performs what turn taking asks for, checks its order, and goes on at random.
    private struct Fuzz {
        var random: SeededGenerator
        var settings: TurnSettings
        var turns: TurnTaking
        var now = SessionTime.zero
        var timers: [TurnTimer: SessionTime] = [:]
        var speculations: Set<UInt32> = []
        var verdicts: [UInt32] = []
        var discards = 0
        var isPaused = false
        var hasEnded = false
        var isSpeaking = false
        var reply: ReplyNumber = 0
        var words = 0
        var said: [String] = []
        var interim: String?
        var interimAt = SessionTime.zero
        var committed: [String] = []
        var ignored: [String] = []
        var recording: [TimedTurnInput] = []
        var answers: [[TurnEffect]] = []
        var failures: [String] = []

        init(seed: UInt64) {
            random = SeededGenerator(seed: seed)
            settings =
                [TurnSettings.balanced, .quick, .patient, .liveKitLike, .pipecatLike].randomElement(using: &random)
                ?? .quick
            settings.interruption = TurnSettings.Interruption.allCases.randomElement(using: &random) ?? .smart
            settings.speculation = TurnSettings.Speculation.allCases.randomElement(using: &random) ?? .speech
            if Int.random(in: 0..<8, using: &random) == 0 { settings.endOfTurn = .manual }
            if Int.random(in: 0..<4, using: &random) == 0 { settings.maximumTurnMilliseconds = 4_000 }
            if Int.random(in: 0..<4, using: &random) == 0 { settings.maximumTurnWords = 6 }
            turns = TurnTaking(settings: settings)
        }

        mutating func take(_ input: TurnInput) {
            recording.append(TimedTurnInput(at: now, input: input))
            let effects = turns.handle(input, at: now)
            answers.append(effects)
            if hasEnded, !effects.isEmpty { fail("effects after the end") }
            for effect in effects { perform(effect) }
        }

        mutating func fail(_ text: String) {
            failures.append("\(text) at \(now) after \(recording.last.map { "\($0.input)" } ?? "")")
        }

        mutating func perform(_ effect: TurnEffect) {
            switch effect {
            case .setTimer(let timer, let due):
                if due < now { fail("timer in the past") }
                timers[timer] = due
            case .cancelTimer(let timer): timers[timer] = nil
            case .startSpeculation(let id, _):
                if !speculations.isEmpty { fail("two speculations") }
                speculations.insert(id)
            case .speakSpeculation(let id): if !speculations.contains(id) { fail("speaks a dead speculation") }
            case .cancelSpeculation(let id):
                if speculations.remove(id) == nil { fail("cancels a dead speculation") }
                discards += 1
            case .commit(let turn, let id):
                if let id, speculations.remove(id) == nil { fail("commits a dead speculation") }
                if !speculations.isEmpty { fail("leaves a speculation behind a commit") }
                if discards > 2 { fail("more than two discards") }
                discards = 0
                if turn.text.isEmpty { fail("empty turn") }
                if turn.speechEnd < turn.speechStart { fail("turn ends before it starts") }
                committed += Self.tokens(turn.text)
            case .pausePlayout:
                if isPaused { fail("pauses twice") }
                isPaused = true
            case .resumePlayout:
                if !isPaused { fail("resumes what is not paused") }
                isPaused = false
            case .stopPlayout: isPaused = false
            case .requestVerdict(let id, _, let deadline):
                if deadline <= now { fail("deadline in the past") }
                verdicts.append(id)
            case .ignored(let text, _):
                discards = 0
                ignored += Self.tokens(text)
            case .ended: hasEnded = true
            case .finalizeTranscript, .userStartedSpeaking, .userStoppedSpeaking, .idle: break
            }
        }

        static func tokens(_ text: String) -> [String] {
            text.split { $0.isWhitespace }.map { $0.lowercased().filter { $0.isLetter || $0.isNumber } }.filter {
                $0.hasPrefix("w")
            }
        }

        /// The last inputs and what they led to.
        var trace: String {
            zip(recording, answers).suffix(40).map { "\n\($0.at) \($0.input) -> \($1)" }.joined()
        }

        /// A word that is said once.
        mutating func word() -> String {
            words += 1
            return "w\(words)"
        }

        mutating func step() {
            let pause = SessionTime.milliseconds(Int64.random(in: 0...400, using: &random))
            advance(to: now + pause)
            // A recogniser does not come back to what it has not mentioned for seconds.
            if now - interimAt > .milliseconds(2_000) { interim = nil }
            switch Int.random(in: 0..<30, using: &random) {
            case 0...5:
                isSpeaking
                    ? take(.speechEnded(end: now - .milliseconds(200)))
                    : take(.speechStarted(start: now - .milliseconds(50)))
                isSpeaking.toggle()
            case 6...9:
                let text = [interim, word()].compactMap(\.self).joined(separator: " ")
                interim = text
                interimAt = now
                take(.interim(text: text))
            case 10...14:
                let text = (interim ?? word()) + (["", ".", " and"].randomElement(using: &random) ?? "")
                interim = nil
                said += Self.tokens(text)
                take(.final(text: text, confidence: 0.8, endsUtterance: Bool.random(using: &random)))
            case 15:
                interim = nil
                take(.final(text: "", confidence: 0, endsUtterance: true))
            case 16:
                interim = nil
                take(.final(text: "mhm", confidence: 0.5, endsUtterance: true))
            case 17, 18:
                if let id = verdicts.popLast() {
                    take(.verdict(id: id, probability: Double.random(in: -0.5...1, using: &random)))
                }
            case 19: take(.verdict(id: UInt32.random(in: 0...50, using: &random), probability: nil))
            case 20, 21:
                reply += 1
                take(.replyReady(reply))
            case 22, 23:
                if !isPaused { take(.replyStarted(reply, interruptible: Int.random(in: 0..<5, using: &random) > 0)) }
            case 24: take(.replyFinished(reply))
            case 25: take(.replyFailed(reply))
            case 26:
                let text = word()
                said.append(text)
                take(.text(text, interrupts: Bool.random(using: &random)))
            case 27: take(.dtmf(["1", "2#"].randomElement(using: &random) ?? "1"))
            case 28: take(.endOfTurnRequested)
            default:
                interim = nil
                take(.recogniserLost(Bool.random(using: &random)))
            }
        }

        /// Fires the timers due until then, in order.
        mutating func advance(to time: SessionTime) {
            while let due = timers.min(by: { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }),
                due.value <= time
            {
                timers[due.key] = nil
                now = max(now, due.value)
                take(.timer(due.key))
            }
            now = time
        }

        mutating func checkEnd() {
            if !hasEnded { fail("no end") }
            if !timers.isEmpty { fail("timers left: \(timers.keys)") }
            if !speculations.isEmpty { fail("speculations left") }
            if isPaused { fail("paused for ever") }
            let seen = committed + ignored
            let twice = Dictionary(grouping: seen, by: \.self).filter { $0.value.count > 1 }.keys.sorted()
            if !twice.isEmpty { fail("twice: \(twice)") }
            let lost = Set(said).subtracting(seen).sorted()
            if !lost.isEmpty { fail("lost: \(lost)") }
        }
    }

    private func conversation(_ seed: UInt64) -> Fuzz {
        var fuzz = Fuzz(seed: seed)
        for _ in 0..<Int.random(in: 5...80, using: &fuzz.random) { fuzz.step() }
        return fuzz
    }

    @Test func nothingIsLostOrDoubledAndNothingIsLeftBehind() {
        for seed: UInt64 in 0..<4_000 {
            var fuzz = conversation(seed)
            fuzz.take(.hangUp)
            fuzz.checkEnd()
            fuzz.take(.interim(text: "late"))
            fuzz.take(.speechStarted(start: fuzz.now))
            #expect(
                fuzz.failures.isEmpty,
                "seed \(seed), \(fuzz.settings.interruption), \(fuzz.settings.endOfTurn), \(fuzz.trace)")
            if !fuzz.failures.isEmpty { return }
        }
    }

    @Test func whatTheCallerSaysIsAnsweredOnceTheTimersHaveFired() {
        for seed: UInt64 in 10_000..<12_000 {
            var fuzz = conversation(seed)
            fuzz.take(.recogniserLost(false))
            if fuzz.isSpeaking { fuzz.take(.speechEnded(end: fuzz.now)) }
            fuzz.take(.replyFinished(fuzz.reply))
            fuzz.reply += 1
            fuzz.take(.replyFailed(fuzz.reply))
            fuzz.advance(to: fuzz.now + .milliseconds(70_000))
            let commits = fuzz.committed
            fuzz.take(.speechStarted(start: fuzz.now))
            fuzz.now = fuzz.now + .milliseconds(1_000)
            fuzz.take(.speechEnded(end: fuzz.now - .milliseconds(200)))
            fuzz.take(.final(text: "wlast words.", confidence: 1, endsUtterance: true))
            if fuzz.settings.endOfTurn == .manual { fuzz.take(.endOfTurnRequested) }
            fuzz.advance(to: fuzz.now + .milliseconds(5_000))
            #expect(
                fuzz.committed.dropFirst(commits.count).contains("wlast"),
                "seed \(seed), \(fuzz.settings.interruption), \(fuzz.settings.endOfTurn), \(fuzz.trace)")
            #expect(fuzz.failures.isEmpty, "seed \(seed)")
            if !fuzz.failures.isEmpty || !fuzz.committed.contains("wlast") { return }
        }
    }

    @Test func aRecordingReplaysExactly() throws {
        for seed: UInt64 in 20_000..<20_200 {
            let fuzz = conversation(seed)
            let stored = try JSONEncoder().encode(fuzz.recording)
            let recording = try JSONDecoder().decode([TimedTurnInput].self, from: stored)
            var again = TurnTaking(settings: fuzz.settings)
            #expect(recording.map { again.handle($0.input, at: $0.at) } == fuzz.answers, "seed \(seed)")
        }
    }
}
