package import Audio

/// What voice activity detection reports, in order of the windows that brought it to light.
package enum VoiceActivityEvent: Sendable, Equatable {
    /// Somebody began to speak at this sample. Reported `minSpeech` later.
    case speechStarted(at: SessionTime)
    /// They stopped at this sample. Reported `minSilence` later.
    case speechEnded(at: SessionTime)
    /// A window of 32 ms was judged; for meters.
    case window(VoiceActivityWindow)
}

/// One window of 32 ms as voice activity detection saw it.
package struct VoiceActivityWindow: Sendable, Equatable {
    /// The window's first sample.
    package var start: SessionTime
    /// The network's probability of speech, 0 where the energy gate kept the window from it.
    package var probability: Float
    /// The level of the window's loudest 8 ms, in dBFS.
    package var level: Float
    /// Whether the network saw the window when it came.
    package var isGateOpen: Bool
}

/// Finds speech in one conversation's audio: the energy gate, behind it the shared network, behind it the hysteresis.
///
/// All positions are exact functions of the windows, which are counted from the first position given. Nothing is allocated
/// per window, but for what the runtime takes and frees while the network runs. Not thread-safe: it belongs to the conversation.
package final class VoiceActivityDetector {
    /// How many windows from before an opening of the gate the network sees when it opens. Their verdicts count as if the gate had
    /// been open, so a start of speech is not dated late by it.
    package static let replayedWindows = 4

    private static let windowLength = SessionTime(samples: SileroVAD.windowLength)

    private let network: SileroStream
    private var hysteresis: SpeechHysteresis
    private var gate: EnergyGate?
    private var meter: LoudnessMeter?
    private var recent = RecentWindows(kept: replayedWindows)
    /// Where the current window begins.
    private var windowStart: SessionTime
    /// How many windows before the current one the gate kept from the network and no verdict was given on yet.
    private var undecided = 0
    private var loudnesses = [Float](repeating: 0, count: replayedWindows)
    private var lastProbability: Float = 0

    /// A detector that expects audio from `start` on. A nil gate shows every window to the network.
    package init(
        model: SileroVAD, parameters: VADParameters, gate: EnergyGate? = EnergyGate(), start: SessionTime = .zero
    ) throws(SpeechDetectionError) {
        network = try model.makeStream()
        hysteresis = SpeechHysteresis(parameters)
        self.gate = gate
        meter = parameters.minLoudness == nil ? nil : LoudnessMeter()
        windowStart = start
    }

    package var parameters: VADParameters { hysteresis.parameters }

    /// A start of speech was reported and its end was not.
    package var isSpeaking: Bool { hysteresis.isSpeaking }

    /// The sample that `process` expects next.
    package var position: SessionTime { windowStart + SessionTime(samples: recent.filled) }

    /// Takes samples at 16 kHz, any number of them, and reports what they bring to light.
    ///
    /// Samples from before `position` were seen already and are ignored. After a gap the detector starts anew; speech that was going on
    /// is reported as ended where the audio stopped.
    package func process(
        _ samples: Span<Int16>, at start: SessionTime, _ report: (VoiceActivityEvent) -> Void
    ) throws(SpeechDetectionError) {
        if start > position { restart(at: start, report) }
        var next = Int((position - start).samples)
        while next < samples.count {
            let count = min(recent.missing, samples.count - next)
            recent.append(samples.extracting(next..<(next + count)))
            next += count
            if recent.missing == 0 { try finishWindow(report) }
        }
    }

    /// Forgets all audio and goes on from `start`. Speech that was going on is reported as ended.
    package func restart(at start: SessionTime, _ report: (VoiceActivityEvent) -> Void) {
        if let change = hysteresis.finish(at: position) { report(.init(change)) }
        network.reset()
        if meter != nil { meter = LoudnessMeter() }
        recent.clear()
        undecided = 0
        lastProbability = 0
        windowStart = start
    }

    private func finishWindow(_ report: (VoiceActivityEvent) -> Void) throws(SpeechDetectionError) {
        // The window counts as taken even if the network fails on it, so that an error is not met again on the same audio.
        defer { advance() }
        let level = recent.withWindow(back: 0, withContext: false) { EnergyGate.level(of: $0) }
        let loudness = recent.withWindow(back: 0, withContext: false) { meter?.handle($0) ?? 1 }
        let isActive = !hysteresis.isQuiet || lastProbability >= hysteresis.parameters.deactivation / 2
        let isOpen = gate?.isOpen(level: level, speechIsLikely: isActive) ?? true
        if isOpen || isActive {
            try decideReplayed(report)
            lastProbability = try probability(back: 0)
            reportWindow(level: level, isGateOpen: true, report)
            decide(lastProbability, loudness: loudness, back: 0, report)
        } else {
            lastProbability = 0
            reportWindow(level: level, isGateOpen: false, report)
            postpone(loudness: loudness)
        }
    }

    /// Runs the network over the windows that the gate held back and that are still kept.
    private func decideReplayed(_ report: (VoiceActivityEvent) -> Void) throws(SpeechDetectionError) {
        while undecided > 0 {
            let back = undecided
            undecided -= 1
            decide(try probability(back: back), loudness: loudnesses[back - 1], back: back, report)
        }
    }

    /// Holds the current window back. The oldest one held back goes out of reach then: it was silence.
    private func postpone(loudness: Float) {
        if undecided == Self.replayedWindows {
            // Zero in quiet cannot change anything but the smoothed value.
            _ = hysteresis.handle(probability: 0, loudness: 0, window: range(back: undecided))
            undecided -= 1
        }
        undecided += 1
        for index in stride(from: loudnesses.count - 1, to: 0, by: -1) { loudnesses[index] = loudnesses[index - 1] }
        loudnesses[0] = loudness
    }

    private func decide(_ probability: Float, loudness: Float, back: Int, _ report: (VoiceActivityEvent) -> Void) {
        if let change = hysteresis.handle(probability: probability, loudness: loudness, window: range(back: back)) {
            report(.init(change))
        }
    }

    /// What the network says of a window, counted back from the current one.
    private func probability(back: Int) throws(SpeechDetectionError) -> Float {
        try recent.withWindow(back: back, withContext: true) { window throws(SpeechDetectionError) in
            try network.probability(of: window)
        }
    }

    private func range(back: Int) -> Range<SessionTime> {
        let start = windowStart - Self.windowLength * Int64(back)
        return start..<(start + Self.windowLength)
    }

    private func reportWindow(level: Float, isGateOpen: Bool, _ report: (VoiceActivityEvent) -> Void) {
        report(
            .window(
                VoiceActivityWindow(
                    start: windowStart, probability: lastProbability, level: level, isGateOpen: isGateOpen)))
    }

    private func advance() {
        recent.advance()
        windowStart = windowStart + Self.windowLength
    }
}

extension VoiceActivityEvent {
    fileprivate init(_ change: SpeechHysteresis.Change) {
        switch change {
        case .started(let position): self = .speechStarted(at: position)
        case .ended(let position): self = .speechEnded(at: position)
        }
    }
}
