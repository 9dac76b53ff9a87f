import Dispatch
import Synchronization
import Testing

@testable import SpeechDetection

@Suite("Turn analyzer")
struct TurnAnalyzerTests {
    /// A clock that moves when told.
    private final class ManualClock: Sendable {
        private let time = Mutex(ContinuousClock.now)
        var now: ContinuousClock.Instant { time.withLock { $0 } }
        func advance(_ duration: Duration) { time.withLock { $0 += duration } }
    }

    /// A model that answers when it is let, and takes the time it is told on the manual clock.
    private final class FakeModel: EndOfTurnModel, EndOfTurnPredictor {
        let clock = ManualClock()
        let started = DispatchSemaphore(value: 0)
        let proceed = DispatchSemaphore(value: 0)
        let cost = Mutex(Duration.milliseconds(30))

        func makePredictor() -> any EndOfTurnPredictor { self }

        func probability(of audio: Span<Int16>) throws(SpeechDetectionError) -> Float {
            let first = audio.isEmpty ? 0 : audio[0]
            started.signal()
            proceed.wait()
            clock.advance(cost.withLock { $0 })
            if first < 0 { throw SpeechDetectionError(.inferenceFailed, "negative") }
            return Float(first) / 100
        }
    }

    /// Outcomes in order, awaited with a deadline.
    private final class Outcomes: Sendable {
        private let list = Mutex<[Result<TurnVerdict, SpeechDetectionError>]>([])
        private let arrived = DispatchSemaphore(value: 0)

        func add(_ outcome: Result<TurnVerdict, SpeechDetectionError>) {
            list.withLock { $0.append(outcome) }
            arrived.signal()
        }

        func wait(_ count: Int) throws {
            for _ in 0..<count { try #require(arrived.wait(timeout: .now() + 30) == .success) }
        }

        var words: [String] {
            list.withLock { list in
                list.map {
                    switch $0 {
                    case .success(let verdict): "\(verdict.probability)"
                    case .failure(let error): error.code.description
                    }
                }
            }
        }
    }

    private func analyzer(_ model: FakeModel, threads: Int = 1, queue: Int = 4) throws -> TurnAnalyzer {
        try TurnAnalyzer(
            model: model, settings: .init(threads: threads, queueLimit: queue),
            now: { [clock = model.clock] in clock.now })
    }

    @Test("a verdict before its deadline is given and counted in time")
    func inTime() throws {
        let (model, outcomes) = (FakeModel(), Outcomes())
        let subject = try analyzer(model)
        model.proceed.signal()
        subject.request(audio: [90], deadline: model.clock.now + .milliseconds(100)) { outcomes.add($0) }
        try outcomes.wait(1)
        #expect(outcomes.words == ["0.9"])
        #expect(subject.counters == TurnCounters(inTime: 1))
    }

    @Test("a verdict after its deadline, and a request that waited beyond it, are late")
    func late() throws {
        let (model, outcomes) = (FakeModel(), Outcomes())
        let subject = try analyzer(model)
        subject.request(audio: [10], deadline: model.clock.now + .milliseconds(10)) { outcomes.add($0) }
        model.started.wait()
        subject.request(audio: [20], deadline: model.clock.now + .milliseconds(20)) { outcomes.add($0) }
        model.proceed.signal()
        try outcomes.wait(2)
        // The second was not run: nobody let it proceed.
        #expect(outcomes.words == ["late", "late"])
        #expect(subject.counters == TurnCounters(late: 2))
    }

    @Test("beyond the limit of the queue requests are skipped at once")
    func fullQueue() throws {
        let (model, outcomes) = (FakeModel(), Outcomes())
        let subject = try analyzer(model, queue: 2)
        let deadline = model.clock.now + .seconds(10)
        subject.request(audio: [1], deadline: deadline) { outcomes.add($0) }
        model.started.wait()
        for sample in 2...5 as ClosedRange<Int16> {
            subject.request(audio: [sample], deadline: deadline) { outcomes.add($0) }
        }
        #expect(outcomes.words == ["skipped", "skipped"])
        for _ in 0..<3 { model.proceed.signal() }
        try outcomes.wait(5)
        #expect(outcomes.words == ["skipped", "skipped", "0.01", "0.02", "0.03"])
        #expect(subject.counters == TurnCounters(inTime: 3, skipped: 2))
    }

    @Test("a request whose turn would come too late is skipped at once, but an idle analyzer tries")
    func shedding() throws {
        let (model, outcomes) = (FakeModel(), Outcomes())
        let subject = try analyzer(model)
        model.proceed.signal()
        subject.request(audio: [1], deadline: model.clock.now + .seconds(1)) { outcomes.add($0) }
        try outcomes.wait(1)
        model.started.wait()
        // A verdict takes 30 ms by now. Idle: tried although 20 ms are too few.
        subject.request(audio: [2], deadline: model.clock.now + .milliseconds(20)) { outcomes.add($0) }
        model.started.wait()
        subject.request(audio: [3], deadline: model.clock.now + .milliseconds(59)) { outcomes.add($0) }
        subject.request(audio: [4], deadline: model.clock.now + .milliseconds(61)) { outcomes.add($0) }
        model.proceed.signal()
        model.proceed.signal()
        try outcomes.wait(3)
        #expect(outcomes.words == ["0.01", "skipped", "late", "0.04"])
        #expect(subject.counters == TurnCounters(inTime: 2, late: 1, skipped: 1))
    }

    @Test("a request that waits can be taken back")
    func cancelling() throws {
        let (model, outcomes) = (FakeModel(), Outcomes())
        let subject = try analyzer(model)
        let deadline = model.clock.now + .seconds(10)
        let running = subject.request(audio: [1], deadline: deadline) { outcomes.add($0) }
        model.started.wait()
        let waiting = subject.request(audio: [2], deadline: deadline) { outcomes.add($0) }
        subject.cancel(waiting)
        subject.cancel(running)
        subject.request(audio: [3], deadline: deadline) { outcomes.add($0) }
        model.proceed.signal()
        model.proceed.signal()
        try outcomes.wait(3)
        #expect(outcomes.words == ["cancelled", "0.01", "0.03"])
        #expect(subject.counters == TurnCounters(inTime: 2, cancelled: 1))
    }

    @Test("an error of the model reaches the one who asked and no other")
    func failing() throws {
        let (model, outcomes) = (FakeModel(), Outcomes())
        let subject = try analyzer(model)
        let deadline = model.clock.now + .seconds(10)
        for sample in [-1, 5] as [Int16] {
            model.proceed.signal()
            subject.request(audio: [sample], deadline: deadline) { outcomes.add($0) }
        }
        try outcomes.wait(2)
        #expect(outcomes.words == ["inference_failed", "0.05"])
        #expect(subject.counters == TurnCounters(inTime: 1, failed: 1))
    }

    @Test("shutting down completes what waits, and refuses what comes after")
    func shutdown() throws {
        let (model, outcomes) = (FakeModel(), Outcomes())
        let subject = try analyzer(model)
        let deadline = model.clock.now + .seconds(10)
        subject.request(audio: [1], deadline: deadline) { outcomes.add($0) }
        model.started.wait()
        subject.request(audio: [2], deadline: deadline) { outcomes.add($0) }
        subject.shutdown()
        subject.request(audio: [3], deadline: deadline) { outcomes.add($0) }
        model.proceed.signal()
        try outcomes.wait(3)
        #expect(outcomes.words == ["skipped", "skipped", "0.01"])
    }

    @Test("requests are worked on by several threads at once")
    func severalThreads() throws {
        let (model, outcomes) = (FakeModel(), Outcomes())
        let subject = try analyzer(model, threads: 2)
        for sample in [1, 2] as [Int16] {
            subject.request(audio: [sample], deadline: model.clock.now + .seconds(10)) { outcomes.add($0) }
        }
        for _ in 0..<2 { try #require(model.started.wait(timeout: .now() + 30) == .success) }
        for _ in 0..<2 { model.proceed.signal() }
        try outcomes.wait(2)
        #expect(subject.counters.inTime == 2)
    }

    @Test("the real model answers through the analyzer as it does directly")
    func realModel() throws {
        let model = try Models.load().turn
        let clip = try Clips.samples("espeak")
        let expected = try model.makePredictor().probability(clip)
        let outcomes = Outcomes()
        let subject = try TurnAnalyzer(model: model, settings: .init(threads: 1, queueLimit: 4, niceness: 0))
        subject.request(audio: clip, deadline: .now + .seconds(60)) { outcomes.add($0) }
        try outcomes.wait(1)
        #expect(outcomes.words == ["\(expected)"])
    }
}
