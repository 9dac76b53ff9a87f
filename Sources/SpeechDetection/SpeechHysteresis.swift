package import Audio

/// Turns a probability per window into starts and ends of speech: a pure value, fed with windows in order.
package struct SpeechHysteresis: Sendable, Equatable {
    /// What a window brought to light.
    package enum Change: Sendable, Equatable {
        /// Speech began at the first sample of the window that first reached the threshold.
        case started(at: SessionTime)
        /// Speech ended at the first sample of the window that first fell below it.
        case ended(at: SessionTime)
    }

    private enum State: Equatable {
        case quiet
        case starting(since: SessionTime)
        case speaking
        case stopping(since: SessionTime)
    }

    package let parameters: VADParameters
    /// The smoothed probability of the last window; nil before the first.
    package private(set) var smoothed: Float?
    private var state = State.quiet

    package init(_ parameters: VADParameters) {
        self.parameters = parameters
    }

    /// No speech, and none that may be starting.
    package var isQuiet: Bool { state == .quiet }

    /// A start was reported and its end was not.
    package var isSpeaking: Bool {
        switch state {
        case .quiet, .starting: false
        case .speaking, .stopping: true
        }
    }

    /// Takes the next window: its probability of speech, and its loudness where the parameters ask for one.
    package mutating func handle(probability: Float, loudness: Float = 1, window: Range<SessionTime>) -> Change? {
        let value = smoothed.map { parameters.smoothing * $0 + (1 - parameters.smoothing) * probability } ?? probability
        smoothed = value
        let threshold = isSpeaking ? parameters.deactivation : parameters.activation
        let isLoudEnough = parameters.minLoudness.map { loudness >= $0 } ?? true
        return value >= threshold && isLoudEnough ? handleSpeech(window) : handleSilence(window)
    }

    /// Ends what was going on, without waiting for silence: the audio stops at `position`.
    package mutating func finish(at position: SessionTime) -> Change? {
        defer {
            state = .quiet
            smoothed = nil
        }
        return switch state {
        case .quiet, .starting: nil
        case .speaking: .ended(at: position)
        case .stopping(let since): .ended(at: since)
        }
    }

    private mutating func handleSpeech(_ window: Range<SessionTime>) -> Change? {
        switch state {
        case .quiet: return start(since: window.lowerBound, window)
        case .starting(let since): return start(since: since, window)
        case .speaking: return nil
        case .stopping:
            state = .speaking
            return nil
        }
    }

    private mutating func handleSilence(_ window: Range<SessionTime>) -> Change? {
        switch state {
        case .quiet: return nil
        case .starting:
            state = .quiet
            return nil
        case .speaking: return stop(since: window.lowerBound, window)
        case .stopping(let since): return stop(since: since, window)
        }
    }

    private mutating func start(since: SessionTime, _ window: Range<SessionTime>) -> Change? {
        guard window.upperBound - since >= parameters.minSpeech else {
            state = .starting(since: since)
            return nil
        }
        state = .speaking
        return .started(at: since)
    }

    private mutating func stop(since: SessionTime, _ window: Range<SessionTime>) -> Change? {
        guard window.upperBound - since >= parameters.minSilence else {
            state = .stopping(since: since)
            return nil
        }
        state = .quiet
        return .ended(at: since)
    }
}
