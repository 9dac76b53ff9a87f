import Audio
import Testing

@testable import Conversation

@Suite struct InterruptionTests {
    /// A call whose reply is heard from 3.5 to 8.5 s.
    private func call(
        _ interruption: TurnSettings.Interruption = .smart, interruptible: Bool = true,
        _ change: (inout TurnSettings) -> Void = { _ in }
    ) -> SimulatedCall {
        var settings = PeerTimingTests.settings
        settings.interruption = interruption
        settings.interruptionMinWords = 1
        settings.backchannels = TurnSettings.englishBackchannels
        change(&settings)
        var call = SimulatedCall(settings, agent: .init(interruptible: interruptible))
        call.speech(0.5, 2.5, "Tell me a story.")
        return call
    }

    @Test func quickSettingsStopAtTheFirstSound() {
        var call = call { $0.interruptionMinMilliseconds = 0 }
        call.speech(5, 6, "Stop that.")
        call.run(until: 5.2)
        #expect(call.pauses == [5.05])
        #expect(!call.isSpeaking)
    }

    @Test func aBackchannelLetsThePausedAgentGoOn() {
        var call = call()
        call.speech(5, 5.7, "Uh-huh, I see.")
        call.run(until: 12)
        #expect(call.pauses == [5.5])
        #expect(call.resumes == [6.2])
        #expect(call.played[1] == 5)
        #expect(call.ignored == [.backchannel])
    }

    @Test func aBackchannelOverTheEndOfAReplyIsTheAnswer() {
        var call = call(.ignoreShort)
        call.speech(7.2, 7.8, "Yes.")
        call.run(until: 9)
        #expect(call.commits.last?.text == "Yes.")
        #expect(call.commitTimes == [3, 8.5])
        #expect(call.ignored == [])
    }

    @Test func speechThatOutlastsTheReplyIsATurn() {
        var call = call(.ignoreShort) { $0.interruptionMinWords = 10 }
        call.speech(8, 9.5, "Tell me another one.")
        call.run(until: 10.2)
        #expect(call.stops == [])
        #expect(call.commits.last?.text == "Tell me another one.")
        #expect(call.commitTimes.last == 10)
    }

    @Test func theSentenceBeingHeardIsFinished() {
        var call = call(.finishSentence)
        call.speech(5, 6, "Wait a moment.")
        call.run(until: 7)
        #expect(call.entries.contains { $0.effect == .stopPlayout(.speech, at: .sentenceEnd) })
        #expect(call.commitTimes == [3, 6.5])
    }

    @Test func interruptionsCanBeOff() {
        var call = call(.off)
        call.speech(5, 6, "Wait a moment.")
        call.run(until: 10)
        #expect(call.stops == [])
        #expect(call.ignored == [.uninterruptible])
    }

    @Test func noiseThatDoesNotEndDoesNotHoldTheAgentForEver() {
        var call = call()
        call.speech(5, 30)
        call.run(until: 11)
        #expect(call.pauses == [5.5])
        #expect(call.resumes == [10.5])
    }

    @Test func typedTextCanWaitForTheFloor() {
        var call = call()
        call.at(5, .text("and a joke", interrupts: false))
        call.run(until: 9)
        #expect(call.stops == [])
        #expect(call.commits.map(\.text) == ["Tell me a story.", "and a joke"])
        #expect(call.commitTimes == [3, 8.5])
    }

    @Test func aKeyStopsTheReply() {
        var call = call()
        call.at(5, .dtmf("1#"))
        call.run(until: 5.1)
        #expect(call.entries.contains { $0.effect == .stopPlayout(.dtmf, at: .now) })
        #expect(call.commits.last?.text == "1#")
    }

    @Test(arguments: [0.2, 1, 2.6, 3.2, 4, 5.3, 5.6, 6.1, 9])
    func aHangUpIsNeverLost(at seconds: Double) {
        var call = call()
        call.at(0, .started)
        call.speech(5, 6, "Stop that.")
        call.at(seconds, .hangUp)
        call.run(until: 20)
        #expect(call.times { $0 == .ended } == [seconds])
        #expect(call.entries.last?.effect == .ended)
        #expect(call.openTimers == [])
    }

    @Test func theLastWordsOfACallerWhoHangsUpAreKept() {
        var call = call()
        call.speech(10, 12, "And my budget is ten thousand.")
        call.at(12.3, .hangUp)
        call.run(until: 20)
        #expect(call.commits.last?.text == "And my budget is ten thousand.")
        #expect(call.commits.last?.endedBy == .hangUp)
    }

    @Test func aPromptThatMeetsTheCallerIsHeld() {
        var call = call { $0.interruptionMinMilliseconds = 200 }
        call.speech(10, 12, "Another story please.")
        call.at(10.5, .replyStarted(9, interruptible: true))
        call.run(until: 10.6)
        #expect(call.stops.count + call.pauses.count > 0)
    }
}
