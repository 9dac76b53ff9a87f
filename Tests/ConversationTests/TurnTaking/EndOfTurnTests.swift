import Audio
import Testing

@testable import Conversation

@Suite struct EndOfTurnTests {
    private func call(_ settings: TurnSettings = .quick, _ change: (inout TurnSettings) -> Void = { _ in })
        -> SimulatedCall
    {
        var settings = settings
        change(&settings)
        return SimulatedCall(settings)
    }

    private func starts(_ call: SimulatedCall) -> [Double] {
        call.times { if case .startSpeculation = $0 { true } else { false } }
    }

    @Test func aCompleteSentenceIsAnsweredAfterTheChainAlone() {
        var call = SimulatedCall(.quick, agent: .init(text: 0.23, speech: 0.1))
        call.speech(1, 3, "We need about two hundred seats.", final: 0.1, silence: 0.2)
        call.run(until: 4)
        #expect(starts(call) == [3.1])
        #expect(call.commitTimes == [3.2])
        #expect(call.commits.first?.endedBy == .transcript)
        #expect(call.starts == [3.43])
    }

    @Test func anUnfinishedSentenceIsWaitedFor() {
        var call = call()
        call.speech(1, 3, "My name is", final: 0.1, silence: 0.2)
        call.run(until: 6)
        #expect(call.commitTimes == [4.5])
        #expect(starts(call) == [])
    }

    @Test(arguments: [(0.9, 3.25, EndOfTurnReason.model), (0.1, 4.5, .silence)])
    func theTurnModelDecidesWhereTheWordsDoNot(probability: Double, commit: Double, reason: EndOfTurnReason) {
        var call = call()
        call.verdicts = [(0.05, probability)]
        call.speech(1, 3, "a blue car near my house", final: 0.1, silence: 0.2)
        call.run(until: 6)
        #expect(call.commitTimes == [commit])
        #expect(call.commits.first?.endedBy == reason)
    }

    @Test func aLateVerdictLeavesItToSilence() {
        for verdicts in [[], [(0.1, nil)], [(2.0, 0.1)]] as [[(delay: Double, probability: Double?)]] {
            var call = call()
            call.verdicts = verdicts
            call.speech(1, 3, "a blue car near my house", final: 0.1, silence: 0.2)
            call.run(until: 6)
            #expect(call.commitTimes == [3.45])
            #expect(call.commits.first?.endedBy == .silence)
        }
    }

    @Test func theTurnModelIsNotAskedAboutCompleteOrUnfinishedSentences() {
        for text in ["That is all.", "and"] {
            var call = call()
            call.speech(1, 3, text, final: 0.1, silence: 0.2)
            call.run(until: 6)
            #expect(call.times { if case .requestVerdict = $0 { true } else { false } } == [])
        }
    }

    @Test func withoutAFinalTranscriptTheLatestInterimCounts() {
        var call = call()
        call.speech(1, 3, "We need two hundred seats.", final: nil, silence: 0.2)
        call.run(until: 6)
        #expect(call.commitTimes == [3.6])
        #expect(call.commits.first?.text == "We need two hundred seats.")
        #expect(call.times { $0 == .finalizeTranscript } == [3.2])
    }

    @Test func theFinalVersionOfACommittedInterimIsNotAnotherTurn() {
        var call = call()
        call.speech(1, 3, "We need two hundred seats.", final: 0.9, silence: 0.2)
        call.run(until: 6)
        #expect(call.commits.count == 1)
        #expect(call.stops == [])
        #expect(call.ignored == [])
    }

    @Test func whatAFinalTranscriptAddsToACommittedInterimIsAnswered() {
        var call = call()
        call.speech(1, 3, "We need", interims: false, final: nil, silence: 0.2)
        call.at(2, .interim(text: "We need"))
        call.at(4.55, .interim(text: "ignored without speech"))
        call.at(4.6, .final(text: "We need two hundred seats.", confidence: 0.9, endsUtterance: true))
        call.run(until: 9)
        #expect(call.commits.map(\.text) == ["We need", "two hundred seats."])
    }

    @Test func aPauseWithinATurnKeepsItOneTurn() {
        var call = call()
        call.speech(1, 2, "I want to", final: 0.1, silence: 0.2)
        call.speech(2.6, 3.5, "buy a car.", final: 0.1, silence: 0.2)
        call.run(until: 6)
        #expect(call.commits.map(\.text) == ["I want to buy a car."])
        #expect(call.commits.first?.speechStart == SessionTime(seconds: 1))
    }

    @Test func atMostTwoSpeculationsOfATurnAreThrownAway() {
        var call = call(.balanced)
        call.at(1.05, .speechStarted(start: SessionTime(seconds: 1)))
        for (index, text) in ["I have a car.", "And a bike.", "And a boat.", "And a plane."].enumerated() {
            call.at(2 + Double(index), .final(text: text, confidence: 1, endsUtterance: true))
        }
        call.at(5.5, .speechEnded(end: SessionTime(seconds: 4.95)))
        call.run(until: 7)
        #expect(starts(call) == [2, 3])
        #expect(call.times { if case .cancelSpeculation = $0 { true } else { false } } == [3, 4])
        #expect(call.commits.count == 1)
    }

    @Test func aSpeculationIsKeptWhenOnlyPunctuationChanges() {
        var call = call()
        call.at(1.05, .speechStarted(start: SessionTime(seconds: 1)))
        call.at(2, .interim(text: "a blue car"))
        call.at(2.4, .speechEnded(end: SessionTime(seconds: 2.2)))
        call.at(2.5, .final(text: "A blue car.", confidence: 1, endsUtterance: true))
        call.run(until: 4)
        #expect(starts(call) == [2.4])
        #expect(call.times { if case .commit(_, .some) = $0 { true } else { false } } == [2.5])
    }

    @Test func pushToTalkEndsTurnsOnlyWhenTheClientSaysSo() {
        var call = call { $0.endOfTurn = .manual }
        call.speech(1, 2, "Hello there.", final: 0.1, silence: 0.2)
        call.speech(6, 7, "How are you?", final: 0.1, silence: 0.2)
        call.at(8, .endOfTurnRequested)
        call.run(until: 9)
        #expect(call.commitTimes == [8])
        #expect(call.commits.map(\.text) == ["Hello there. How are you?"])
        #expect(call.commits.first?.endedBy == .client)
    }

    @Test func theClientEndsATurnInTheMiddleOfSpeech() {
        var call = call()
        call.speech(1, 5, "one two three four", final: nil)
        call.at(3, .endOfTurnRequested)
        call.at(3.2, .final(text: "one two", confidence: 1, endsUtterance: false))
        call.run(until: 3.5)
        #expect(call.commitTimes == [3.2])
        #expect(call.times { $0 == .finalizeTranscript } == [3])
    }

    @Test func aLongTurnIsAnsweredWhileTheCallerGoesOn() {
        var call = call { $0.maximumTurnMilliseconds = 4_000 }
        call.speech(1, 9, "on and on and on", final: 0.1, silence: 0.2)
        call.run(until: 8)
        #expect(call.commitTimes == [5])
        #expect(call.commits.first?.endedBy == .timeout)
        #expect(call.starts == [5.5])
    }

    @Test func withoutARecogniserSpeechIsIgnoredAtOnce() {
        var call = call()
        call.at(0, .recogniserLost(true))
        call.speech(1, 2, silence: 0.2)
        call.run(until: 3)
        #expect(call.times { $0 == .ignored(text: "", .noWords) } == [2.2])
    }

    @Test func digitsAreOneTurn() {
        var call = call()
        call.at(1, .dtmf("4"))
        call.at(2, .dtmf("2"))
        call.at(2.5, .dtmf("#"))
        call.at(10, .dtmf("7"))
        call.run(until: 13)
        #expect(call.commits.map(\.text) == ["42#", "7"])
        #expect(call.commits.map(\.input) == [.dtmf, .dtmf])
        #expect(call.commitTimes == [2.5, 12])
    }

    @Test func settingsOutOfRangeAreNamed() {
        for profile in [TurnSettings.balanced, .quick, .patient, .liveKitLike, .pipecatLike] {
            #expect(throws: Never.self) { try profile.validate() }
        }
        var settings = TurnSettings.balanced
        settings.maxDelayMilliseconds = 100
        let error = #expect(throws: TurnSettingsError.self) { try settings.validate() }
        #expect(error?.description == "max_delay_milliseconds is 100; must be 700 to 30000")
    }
}
