import Audio
import Testing

@testable import Conversation

/// The peer's turn-taking timings (VAD silence 0.5 s, endpointing 0.5/6.0, final transcript 0.2 s after speech, reply 0.5 s after the
/// turn, interruption after 0.5 s), held to a frame.
@Suite struct PeerTimingTests {
    static var settings: TurnSettings {
        var settings = TurnSettings.liveKitLike
        settings.maxDelayMilliseconds = 6_000
        settings.echoWarmUpMilliseconds = 0
        settings.speculation = .off
        settings.interruption = .immediate
        return settings
    }

    private func call(
        _ change: (inout TurnSettings) -> Void = { _ in }, reply duration: Double = 5, interruptible: Bool = true
    ) -> SimulatedCall {
        var settings = Self.settings
        change(&settings)
        return SimulatedCall(settings, agent: .init(duration: duration, interruptible: interruptible))
    }

    @Test func plainTurn() {
        var call = call(reply: 2)
        call.speech(0.5, 2.5, "Hello, how are you?")
        call.run()
        #expect(call.commitTimes == [3])
        #expect(call.commits.first?.text == "Hello, how are you?")
        #expect(call.commits.first?.speechEnd == SessionTime(seconds: 2.5))
        #expect(call.starts == [3.5])
        #expect(call.ends == [5.5])
    }

    @Test func interruptionStopsTheReplyAfterItsMinimumSpeech() {
        var call = call()
        call.speech(0.5, 2.5, "Tell me a story.")
        call.speech(5, 6, "Stop!", interims: false)
        call.run(until: 7)
        #expect(call.stops == [5.5])
        #expect(call.played[1] == 2)
        #expect(call.commitTimes == [3, 6.5])
    }

    @Test func wordsOfShortInterruptionsAddUp() {
        var call = call { settings in
            settings.interruption = .ignoreShort
            settings.interruptionMinWords = 3
        }
        call.speech(0.5, 2.5, "Tell me a story.")
        call.speech(5, 6, "Stop!")
        call.speech(6.5, 7.5, "ok, stop!")
        call.run(until: 8)
        let stop = call.stops.first ?? 0
        #expect(call.stops.count == 1 && stop > 6.5 && stop <= 7.52)
        #expect(call.commits.last?.text == "Stop! ok, stop!")
    }

    @Test func repliesThatMayNotBeInterruptedArePlayedWhole() {
        var call = call(interruptible: false)
        call.speech(0.5, 2.5, "Tell me a story.")
        call.speech(5, 6, "Stop!")
        call.run(until: 9)
        #expect(call.stops == [])
        #expect(call.ends == [8.5])
        #expect(call.ignored == [.uninterruptible])
        #expect(call.commitTimes == [3])
    }

    @Test func speechWhileTheAgentThinksDropsTheReply() {
        var call = call()
        call.speech(0.5, 2.5, "I need seats.")
        call.speech(3, 4, "Two hundred of them.")
        call.run(until: 4.6)
        #expect(call.stops == [3.5])
        #expect(call.starts == [])
        #expect(call.commits.map(\.text) == ["I need seats.", "Two hundred of them."])
    }

    @Test func noiseWhileTheAgentThinksPostponesTheReply() {
        var call = call()
        call.speech(0.5, 2.5, "Tell me a story.")
        call.speech(3, 3.3)
        call.run(until: 12)
        #expect(call.starts == [3.8])
        #expect(call.played[1] == 5)
        #expect(call.ignored == [.noWords])
    }

    @Test func duringEchoWarmUpOnlyAFinishedTurnInterrupts() {
        func stop(warmUp: Int) -> [Double] {
            var call = call { $0.echoWarmUpMilliseconds = warmUp }
            call.speech(0.5, 2.5, "Tell me a story.")
            call.speech(4, 5, "Stop that now!")
            call.run(until: 8)
            return call.stops
        }
        #expect(stop(warmUp: 0) == [4.5])
        #expect(stop(warmUp: 3_000) == [5.5])
    }

    @Test(arguments: [(TurnSettings.Speculation.speech, 0.7), (.text, 0.8), (.off, 1.1)])
    func speculationHidesTheChainBehindEndpointing(speculation: TurnSettings.Speculation, latency: Double) {
        var settings = Self.settings
        settings.speculation = speculation
        var call = SimulatedCall(settings, agent: .init(text: 0.3, speech: 0.3))
        call.speech(0.5, 2, "What does it cost?", final: 0.1)
        call.run(until: 4)
        #expect(call.starts.map { (($0 - 2) * 1_000).rounded() / 1_000 } == [latency])
    }

    @Test func typedTextInterruptsTheReply() {
        var call = call()
        call.speech(0.5, 2.5, "Tell me a story.")
        call.at(5, .text("a short one", interrupts: true))
        call.run(until: 5.2)
        #expect(call.stops == [5])
        #expect(call.commits.last?.input == .text)
        #expect(call.played[1] == 1.5)
    }

    @Test func speechWithoutWordsIsIgnoredAfterTheTranscriptWait() {
        var call = call()
        call.speech(0.5, 2.5)
        call.run(until: 8)
        #expect(call.commits.isEmpty)
        #expect(call.times { $0 == .ignored(text: "", .noWords) } == [4.5])
    }

    @Test func noiseWithinTheTranscriptWaitStartsItAnew() {
        var call = call()
        call.speech(0.5, 2.5)
        call.speech(3.5, 4)
        call.run(until: 8)
        #expect(call.times { $0 == .ignored(text: "", .noWords) } == [6])
    }

    @Test func turnsAreLimitedInWords() {
        var call = call { $0.maximumTurnWords = 5 }
        call.speech(0.5, 4.5, "one two three four five six seven eight nine ten")
        call.run(until: 3.2)
        #expect(call.commits.count == 1)
        #expect(call.commits.first?.endedBy == .timeout)
        #expect(call.commits.first?.text == "one two three four five")
    }

    @Test func aFalseInterruptionResumesWhereItStopped() {
        var call = call { $0.interruption = .smart }
        call.speech(0.5, 2.5, "Tell me a story.")
        call.speech(5, 5.8)
        call.run(until: 14)
        #expect(call.pauses == [5.5])
        #expect(call.resumes == [7.8])
        #expect(call.played[1] == 5)
        #expect(call.ignored == [.noWords])
    }

    @Test func aFinalTranscriptMakesAPauseAnInterruption() {
        var call = call { $0.interruption = .smart }
        call.speech(0.5, 2.5, "Tell me a story.")
        call.speech(5, 6, "Wait a moment.")
        call.run(until: 6.6)
        #expect(call.pauses == [5.5])
        #expect(call.resumes == [])
        #expect(call.stops == [6.2])
        #expect(call.played[1] == 2)
        #expect(call.commits.last?.text == "Wait a moment.")
    }

    @Test func theWaitForASilentCallerStandsStillWhileTheAgentSpeaks() {
        var call = call(reply: 3)
        call.at(0, .started)
        call.speech(0.5, 2.5, "Hello.")
        call.run(until: 22)
        #expect(call.starts == [3.5])
        #expect(call.times { $0 == .idle } == [21.5])
    }
}
