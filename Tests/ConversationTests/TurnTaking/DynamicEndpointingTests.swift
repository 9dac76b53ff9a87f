import Audio
import Testing

@testable import Conversation

/// The numbers of the strongest peer's dynamic endpointing, in milliseconds.
@Suite struct DynamicEndpointingTests {
    private func learner(minimum: Double = 300, maximum: Double = 1_000, alpha: Double = 0.5) throws
        -> DynamicEndpointing
    {
        try #require(DynamicEndpointing(minimum: minimum, maximum: maximum, alpha: alpha))
    }

    private func seconds(_ value: Double) -> SessionTime { SessionTime(seconds: value) }

    private func isClose(_ value: Double, _ expected: Double) -> Bool { abs(value - expected) < 0.1 }

    @Test func learnsFromAPauseWithinATurn() throws {
        var delays = try learner()
        delays.callerStoppedSpeaking(at: seconds(100))
        delays.callerStartedSpeaking(at: seconds(100.4), overlapping: false)
        delays.callerStoppedSpeaking(at: seconds(100.5))
        #expect(isClose(delays.minDelay, 350))
        #expect(delays.maxDelay == 1_000)
    }

    @Test func aLowerCeilingBoundsWhatWasLearnt() throws {
        var delays = try learner()
        delays.callerStoppedSpeaking(at: seconds(100))
        delays.callerStartedSpeaking(at: seconds(101), overlapping: false)
        delays.callerStoppedSpeaking(at: seconds(101.5))
        #expect(isClose(delays.minDelay, 650))
        delays.bound(maximum: 500)
        #expect(delays.minDelay == 500)
        #expect(delays.maxDelay == 500)
    }

    @Test(arguments: [(100.2, 100.25, 300.0), (100.15, 100.4, 350.0)])
    func learnsFromAnImmediateInterruption(agent: Double, overlap: Double, expected: Double) throws {
        var delays = try learner()
        delays.callerStoppedSpeaking(at: seconds(100))
        delays.agentStartedSpeaking(at: seconds(agent))
        delays.callerStartedSpeaking(at: seconds(overlap), overlapping: true)
        delays.callerStoppedSpeaking(at: seconds(overlap + 0.25))
        #expect(isClose(delays.minDelay, expected))
    }

    @Test(arguments: [(100.6, 101.5, false), (100.9, 101.8, true)])
    func lateInterruptionsAndAnswersTeachNothing(agent: Double, start: Double, overlapping: Bool) throws {
        var delays = try learner()
        delays.callerStoppedSpeaking(at: seconds(100))
        delays.agentStartedSpeaking(at: seconds(agent))
        delays.callerStartedSpeaking(at: seconds(start), overlapping: overlapping)
        delays.callerStoppedSpeaking(at: seconds(start + 0.5))
        #expect(delays.minDelay == 300)
        #expect(delays.maxDelay == 1_000)
    }

    @Test func theCeilingWinsOverAHigherMinimum() throws {
        var delays = try learner()
        delays.bound(minimum: 1_500)
        #expect(delays.minDelay == 1_000)
    }

    @Test func aBackchannelTeachesNothingUnlessItCameWithTheAgent() throws {
        var late = try learner()
        late.callerStoppedSpeaking(at: seconds(100))
        late.agentStartedSpeaking(at: seconds(100.2))
        late.callerStartedSpeaking(at: seconds(101.2), overlapping: true)
        late.callerStoppedSpeaking(at: seconds(101.4), backchannel: true)
        #expect(late.minDelay == 300)
        #expect(late.callerEnded == nil)

        var atOnce = try learner()
        atOnce.callerStoppedSpeaking(at: seconds(100))
        atOnce.agentStartedSpeaking(at: seconds(100.3))
        atOnce.callerStartedSpeaking(at: seconds(100.4), overlapping: true)
        atOnce.callerStoppedSpeaking(at: seconds(100.6), backchannel: true)
        #expect(isClose(atOnce.minDelay, 350))
        #expect(atOnce.callerEnded == seconds(100.6))
    }

    @Test func speechThatTheAgentCutEndedWhereTheAgentBegan() throws {
        var delays = try learner(minimum: 60, alpha: 1)
        delays.callerStoppedSpeaking(at: seconds(99))
        delays.callerStartedSpeaking(at: seconds(100), overlapping: false)
        delays.agentStartedSpeaking(at: seconds(100.2))
        delays.callerStartedSpeaking(at: seconds(100.25), overlapping: true)
        #expect(delays.callerEnded == seconds(100.199))
        delays.callerStoppedSpeaking(at: seconds(100.5))
        #expect(delays.minDelay == 60)
        #expect(delays.maxDelay == 1_000)
    }

    @Test func repeatedPausesConverge() throws {
        func delays(_ count: Int, _ learner: DynamicEndpointing) -> [Double] {
            var learner = learner
            var time = 100.0
            learner.callerStoppedSpeaking(at: seconds(time))
            return (0..<count).map { _ in
                learner.callerStartedSpeaking(at: seconds(time + 0.8), overlapping: false)
                learner.callerStoppedSpeaking(at: seconds(time + 1))
                time += 1
                return learner.minDelay
            }
        }
        let half = delays(5, try learner())
        #expect(zip(half, [550, 675, 737.5, 768.8, 784.4]).allSatisfy { isClose($0, $1) })
        let slow = delays(10, try learner(maximum: 2_500, alpha: 0.9))
        #expect(isClose(slow[9], 625.7))
    }

    @Test func theAverageStartsWithItsFirstSample() throws {
        var average = try #require(ExponentialAverage(alpha: 0.5))
        average.add(10)
        average.add(20)
        #expect(average.value == 15)
        #expect(ExponentialAverage(alpha: 1.5) == nil)
        #expect(ExponentialAverage(alpha: -0.1) == nil)
        var started = try #require(ExponentialAverage(alpha: 0.5, initial: 4))
        started.add(8)
        started.reset()
        #expect(started.value == 4)
        started.reset(to: 7)
        #expect(started.value == 7)
    }
}
