package import Audio

/// How long a silence ends a turn, learnt from the caller's own pauses.
///
/// A pause within a turn, and a pause that the agent took for the end of a turn although the caller went on at once, are samples
/// of the moving average that is the minimum delay. The maximum is a fixed ceiling.
package struct DynamicEndpointing: Sendable, Hashable {
    /// A back-channel this soon after the agent began is a caller who went on, in ms.
    private static let grace = 250.0

    private var average: ExponentialAverage
    private var minimum: Double
    private var maximum: Double
    private var callerStarted: SessionTime?
    private(set) var callerEnded: SessionTime?
    private var agentStarted: SessionTime?
    private var isOverlap = false

    /// Delays in milliseconds. Nil unless `alpha` is within 0...1.
    package init?(minimum: Double, maximum: Double, alpha: Double) {
        let low = min(minimum, maximum)
        guard let average = ExponentialAverage(alpha: alpha, initial: low, minimum: low, maximum: maximum) else {
            return nil
        }
        self.average = average
        self.minimum = minimum
        self.maximum = maximum
    }

    /// Milliseconds of silence that end a complete turn.
    package var minDelay: Double { min(average.value ?? minimum, maximum) }
    /// Milliseconds of silence that end any turn.
    package var maxDelay: Double { maximum }

    /// Changes the bounds; what was learnt stays as far as it lies within them.
    package mutating func bound(minimum: Double? = nil, maximum: Double? = nil) {
        self.minimum = minimum ?? self.minimum
        self.maximum = maximum ?? self.maximum
        average.bound(minimum: min(self.minimum, self.maximum), maximum: self.maximum)
    }

    package mutating func agentStartedSpeaking(at time: SessionTime) { agentStarted = time }

    /// `overlapping`: while the agent speaks.
    package mutating func callerStartedSpeaking(at time: SessionTime, overlapping: Bool) {
        guard !isOverlap else { return }
        if overlapping, let agentStarted, let callerStarted, let callerEnded, callerEnded < callerStarted {
            // The agent began while the caller was still speaking: that speech has ended there.
            self.callerEnded = agentStarted - .milliseconds(1)
        }
        callerStarted = time
        isOverlap = overlapping
    }

    /// `backchannel`: what was said was no turn, as far as is known.
    package mutating func callerStoppedSpeaking(at time: SessionTime, backchannel: Bool = false) {
        defer { isOverlap = false }
        if backchannel, isOverlap, !beganWithAgent {
            callerStarted = nil
            callerEnded = nil
            return
        }
        learn()
        callerEnded = time
        agentStarted = nil
    }

    private var beganWithAgent: Bool {
        guard let callerStarted, let agentStarted else { return false }
        return abs(Self.milliseconds(callerStarted - agentStarted)) < Self.grace
    }

    private mutating func learn() {
        guard let callerStarted, let callerEnded else { return }
        let pause = Self.milliseconds(callerStarted - callerEnded)
        guard pause > 0 else { return }
        guard let agentStarted else { return average.add(pause) }
        let untilAgent = Self.milliseconds(agentStarted - callerEnded)
        let untilInterruption = abs(pause - untilAgent)
        if untilAgent > 0, untilAgent <= maxDelay, untilInterruption > 0, untilInterruption <= minDelay {
            average.add(pause)
        }
    }

    private static func milliseconds(_ time: SessionTime) -> Double { time.seconds * 1_000 }
}
