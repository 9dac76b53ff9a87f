import Dispatch
import Synchronization

/// The requests that wait for the analyzer's threads, and the count of what became of all. Bounded; first come, first served.
final class TurnQueue: Sendable {
    private struct Request {
        let number: UInt64
        let audio: [Int16]
        let deadline: ContinuousClock.Instant
        let asked: ContinuousClock.Instant
        let completion: TurnAnalyzer.Completion
    }

    private struct State {
        var waiting: [Request] = []
        var running = 0
        var nextNumber: UInt64 = 0
        var isStopped = false
        var counters = TurnCounters()
        /// What a verdict takes, smoothed; zero before the first.
        var usual = Duration.zero
    }

    private let settings: TurnAnalyzer.Settings
    private let now: @Sendable () -> ContinuousClock.Instant
    private let state = Mutex(State())
    /// Counts what waits, and once for each thread when all is to stop.
    private let work = DispatchSemaphore(value: 0)

    init(settings: TurnAnalyzer.Settings, now: @escaping @Sendable () -> ContinuousClock.Instant) {
        self.settings = settings
        self.now = now
    }

    var counters: TurnCounters { state.withLock { $0.counters } }

    func add(
        _ audio: [Int16], _ deadline: ContinuousClock.Instant, _ completion: @escaping TurnAnalyzer.Completion
    ) -> TurnRequestID {
        let asked = now()
        let (number, refusal) = state.withLock { state -> (UInt64, String?) in
            state.nextNumber += 1
            if let refusal = self.refusal(state, asked: asked, deadline: deadline) {
                state.counters.skipped += 1
                return (state.nextNumber, refusal)
            }
            state.waiting.append(
                Request(
                    number: state.nextNumber, audio: audio, deadline: deadline, asked: asked, completion: completion))
            return (state.nextNumber, nil)
        }
        if let refusal {
            completion(.failure(SpeechDetectionError(.skipped, refusal)))
        } else {
            work.signal()
        }
        return TurnRequestID(number: number)
    }

    /// Why a request is not to be queued, if it is not.
    private func refusal(
        _ state: State, asked: ContinuousClock.Instant, deadline: ContinuousClock.Instant
    ) -> String? {
        if state.isStopped { return "the end-of-turn analyzer is shut down" }
        let ahead = state.waiting.count + state.running
        if ahead >= settings.threads + settings.queueLimit {
            return "\(state.waiting.count) ends of turn wait already, which is the limit"
        }
        // What an idle analyzer is asked it always tries: otherwise one slow verdict would stop all, and the estimate with them.
        if ahead == 0 { return nil }
        // Whole rounds of all threads before this one's turn, then its own.
        let rounds = ahead / settings.threads + 1
        return asked + state.usual * rounds > deadline ? "its deadline is sooner than its turn would come" : nil
    }

    func cancel(_ id: TurnRequestID) {
        let cancelled = state.withLock { state -> Request? in
            guard let index = state.waiting.firstIndex(where: { $0.number == id.number }) else { return nil }
            state.counters.cancelled += 1
            return state.waiting.remove(at: index)
        }
        cancelled?.completion(.failure(SpeechDetectionError(.cancelled, "the verdict is no longer wanted")))
    }

    func stop() {
        let waiting = state.withLock { state -> [Request]? in
            guard !state.isStopped else { return nil }
            state.isStopped = true
            state.counters.skipped += UInt64(state.waiting.count)
            defer { state.waiting = [] }
            return state.waiting
        }
        guard let waiting else { return }
        for _ in 0..<settings.threads { work.signal() }
        for request in waiting {
            request.completion(.failure(SpeechDetectionError(.skipped, "the end-of-turn analyzer is shut down")))
        }
    }

    /// Answers requests on the calling thread until stopped.
    func serve(with model: any EndOfTurnModel) {
        let predictor = Result { () throws(SpeechDetectionError) in try model.makePredictor() }
        while true {
            work.wait()
            let (request, isStopped) = state.withLock { state -> (Request?, Bool) in
                guard !state.isStopped else { return (nil, true) }
                // A cancelled request leaves its signal behind.
                guard !state.waiting.isEmpty else { return (nil, false) }
                state.running += 1
                return (state.waiting.removeFirst(), false)
            }
            if isStopped { return }
            if let request { answer(request, predictor) }
        }
    }

    private func answer(_ request: Request, _ predictor: Result<any EndOfTurnPredictor, SpeechDetectionError>) {
        let started = now()
        guard started < request.deadline else {
            finish(request, took: nil, .failure(SpeechDetectionError(.late, "its deadline passed while it waited")))
            return
        }
        let probability = Result { () throws(SpeechDetectionError) in
            try predictor.get().probability(of: request.audio.span)
        }
        let ended = now()
        let outcome = probability.flatMap { value -> Result<TurnVerdict, SpeechDetectionError> in
            ended <= request.deadline
                ? .success(TurnVerdict(probability: value, duration: ended - request.asked))
                : .failure(
                    SpeechDetectionError(.late, "the verdict came \(ended - request.deadline) after its deadline"))
        }
        finish(request, took: ended - started, outcome)
    }

    private func finish(_ request: Request, took: Duration?, _ outcome: Result<TurnVerdict, SpeechDetectionError>) {
        state.withLock { state in
            state.running -= 1
            if let took { state.usual = state.usual == .zero ? took : state.usual * 0.8 + took * 0.2 }
            switch outcome {
            case .success: state.counters.inTime += 1
            case .failure(let error) where error.code == .late: state.counters.late += 1
            case .failure: state.counters.failed += 1
            }
        }
        request.completion(outcome)
    }
}
