import COnnxRuntime

/// What the end-of-turn model said.
package struct TurnVerdict: Sendable, Equatable {
    /// The probability (0...1) that the turn is complete.
    package var probability: Float
    /// From the request to the verdict.
    package var duration: Duration
}

/// Names a request to the analyzer, to cancel it.
package struct TurnRequestID: Hashable, Sendable {
    let number: UInt64
}

/// Runs the end-of-turn model for all conversations: on threads of its own, few and of low priority, each request with a deadline.
///
/// Every request is completed exactly once: with a verdict in time, or with `late`, `skipped`, `cancelled` or the model's error, which
/// all mean that silence has to decide. What cannot be answered in time is shed when it is asked, not after it has cost CPU.
package final class TurnAnalyzer: Sendable {
    package struct Settings: Sendable, Equatable {
        /// How many threads run the model.
        package var threads: Int
        /// How many requests may wait for a thread; the next one is skipped.
        package var queueLimit: Int
        /// How much the threads give way to the event loops: 0 to 19, as in `nice`. Linux only.
        package var niceness: Int

        package init(threads: Int, queueLimit: Int, niceness: Int = 10) {
            self.threads = max(1, threads)
            self.queueLimit = max(0, queueLimit)
            self.niceness = niceness
        }

        /// A thread for every two cores, four requests waiting for each.
        package static func standard(cores: Int) -> Settings {
            Settings(threads: max(1, cores / 2), queueLimit: 4 * max(1, cores / 2))
        }
    }

    package typealias Completion = @Sendable (Result<TurnVerdict, SpeechDetectionError>) -> Void

    private let settings: Settings
    private let shared: TurnQueue

    /// Starts the threads. They end when the analyzer is shut down or let go.
    package init(
        model: any EndOfTurnModel, settings: Settings,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { ContinuousClock.now }
    ) throws(SpeechDetectionError) {
        self.settings = settings
        shared = TurnQueue(settings: settings, now: now)
        for _ in 0..<settings.threads {
            let (queue, niceness) = (shared, settings.niceness)
            do {
                try startThread {
                    _ = onnx_lower_thread_priority(Int32(niceness))
                    queue.serve(with: model)
                }
            } catch {
                shared.stop()
                throw error
            }
        }
    }

    deinit {
        shared.stop()
    }

    /// How often what happened so far.
    package var counters: TurnCounters { shared.counters }

    /// Asks whether a turn is complete at the end of `audio` (16 kHz; the last 8 s count).
    ///
    /// The completion is called on one of the analyzer's threads, or, where the request is skipped, on the caller's before this returns.
    @discardableResult
    package func request(
        audio: [Int16], deadline: ContinuousClock.Instant, completion: @escaping Completion
    ) -> TurnRequestID {
        shared.add(audio, deadline, completion)
    }

    /// Takes back a request that still waits; it is completed with `cancelled`. One that is running goes on.
    package func cancel(_ request: TurnRequestID) {
        shared.cancel(request)
    }

    /// Ends the threads after the verdict each is at. What waits is completed with `skipped`, as is every later request.
    package func shutdown() {
        shared.stop()
    }
}

/// How often what happened to requests for a verdict.
package struct TurnCounters: Sendable, Equatable {
    /// Verdicts given before their deadline.
    package var inTime: UInt64 = 0
    /// Verdicts that came too late, and requests whose deadline passed while they waited.
    package var late: UInt64 = 0
    /// Requests refused because the queue was full or the deadline out of reach.
    package var skipped: UInt64 = 0
    /// Requests taken back while they waited.
    package var cancelled: UInt64 = 0
    /// Requests on which the model failed.
    package var failed: UInt64 = 0
}
