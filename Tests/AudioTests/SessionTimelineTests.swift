import Testing

@testable import Audio

@Suite struct SessionTimelineTests {
    @Test(arguments: [10, 20, 40, 100])
    func steadyPacketsPassUnchanged(milliseconds: Int) {
        var recorder = TimelineRecorder()
        var speech = CountedSpeech()
        for time in stride(from: 0, to: 5_000, by: 10) {
            if time % milliseconds == 0 { recorder.receive(speech.packet(milliseconds), at: Double(time)) }
            recorder.tick(at: Double(time))
        }
        #expect(recorder.turnTaking == speech.spoken)
        #expect(recorder.transcription == speech.spoken)
        #expect(recorder.segments.allSatisfy { $0.audience == .everyone && !$0.isSilence })
        #expect(recorder.statistics == SessionTimeline.Statistics())
    }

    @Test func jitterUpToTheBoundInsertsNoSilence() {
        var recorder = TimelineRecorder()
        var speech = CountedSpeech()
        var random = SplitMix(seed: 7)
        var arrivals = (0..<500).map { Double($0) * 20 + ($0 == 0 ? 0 : Double(random.next(60))) }
        for index in arrivals.indices.dropFirst() { arrivals[index] = max(arrivals[index], arrivals[index - 1]) }
        recorder.run(arrivals: arrivals, packet: 20, speech: &speech, until: 10_000)
        #expect(recorder.statistics.stalls == 0)
        #expect(recorder.statistics.silence == .zero)
        #expect(recorder.turnTaking == speech.spoken)
    }

    @Test func aStallFeedsSilenceToTurnTakingOnly() {
        var recorder = TimelineRecorder()
        var speech = CountedSpeech()
        recorder.run(arrivals: Self.steady(0..<50), packet: 20, speech: &speech, until: 1_000)
        recorder.tick(from: 1_000, to: 1_060)
        #expect(recorder.statistics.silence == .zero)
        recorder.tick(from: 1_060, to: 1_510)
        #expect(recorder.statistics.stalls == 1)
        // Session time follows the clock, one packet behind.
        #expect(recorder.timeline.position == .milliseconds(1_500))
        #expect(recorder.timeline.transcribedPosition == .milliseconds(1_000))
        #expect(!recorder.timeline.isReceivingAudio)
        #expect(recorder.isContiguous)
    }

    @Test func aBurstAfterAStallReplacesSilenceForTranscriptionAndAdvancesNothingTwice() {
        var recorder = TimelineRecorder()
        var speech = CountedSpeech()
        recorder.run(arrivals: Self.steady(0..<50), packet: 20, speech: &speech, until: 1_000)
        recorder.tick(from: 1_000, to: 1_500)
        for _ in 50...75 { recorder.receive(speech.packet(20), at: 1_500) }
        recorder.run(arrivals: Self.steady(76..<150), packet: 20, speech: &speech, from: 1_510, until: 3_000)
        #expect(recorder.transcription == speech.spoken)
        #expect(recorder.turnTaking.count == speech.spoken.count)
        #expect(recorder.statistics.replaced == recorder.statistics.silence)
        #expect(recorder.statistics.droppedLate == .zero)
        #expect(recorder.isContiguous)
        // Outside of the stall turn taking heard everything in its place.
        #expect(recorder.turnTaking[0..<16_000] == speech.spoken[0..<16_000])
        #expect(recorder.turnTaking[25_000...] == speech.spoken[25_000...])
        #expect(recorder.timeline.position == .milliseconds(3_000))
    }

    @Test func aBurstOverASlowLinkIsGatheredAndPlacedWhole() {
        var recorder = TimelineRecorder()
        var speech = CountedSpeech()
        recorder.run(arrivals: Self.steady(0..<50), packet: 20, speech: &speech, until: 1_000)
        recorder.tick(from: 1_000, to: 1_800)
        // 40 packets of backlog and those due meanwhile, one every 4 ms: five times real time.
        var time = 1_800.0
        for _ in 50..<100 {
            recorder.receive(speech.packet(20), at: time)
            time += 4
            if Int(time) % 12 == 0 { recorder.tick(at: time) }
        }
        recorder.run(arrivals: Self.steady(100..<150), packet: 20, speech: &speech, from: 2_000, until: 3_000)
        #expect(recorder.transcription == speech.spoken)
        #expect(recorder.timeline.position == .milliseconds(3_000))
        #expect(recorder.isContiguous)
    }

    @Test func audioMoreThanASecondLateIsDroppedAndCounted() {
        var recorder = TimelineRecorder()
        var speech = CountedSpeech()
        recorder.run(arrivals: Self.steady(0..<50), packet: 20, speech: &speech, until: 1_000)
        recorder.tick(from: 1_000, to: 4_000)
        for _ in 50...200 { recorder.receive(speech.packet(20), at: 4_000) }
        recorder.run(arrivals: Self.steady(201..<250), packet: 20, speech: &speech, from: 4_010, until: 5_000)
        #expect(recorder.timeline.position == .milliseconds(5_000))
        #expect(recorder.isContiguous)
        let dropped = recorder.statistics.droppedLate
        #expect(dropped >= .milliseconds(1_900) && dropped <= .milliseconds(2_020))
        #expect(
            recorder.statistics.replaced >= .milliseconds(960) && recorder.statistics.replaced <= .milliseconds(1_000))
        // The newest second is in its place for transcription, and silence where the rest would have been.
        #expect(recorder.transcription[48_400...] == speech.spoken[48_400...])
        #expect(recorder.transcription[16_000..<46_400].allSatisfy { $0 == 0 })
        #expect(recorder.statistics.droppedAhead == .zero)
    }

    @Test func aMutedCallerIsHeardFromTheFirstWordOn() {
        var recorder = TimelineRecorder()
        var speech = CountedSpeech()
        recorder.run(arrivals: Self.steady(0..<50), packet: 20, speech: &speech, until: 1_000)
        recorder.tick(from: 1_000, to: 11_000)
        #expect(recorder.timeline.position == .milliseconds(10_990))
        let before = speech.spoken.count
        recorder.run(
            arrivals: (0..<100).map { 11_000 + Double($0) * 20 }, packet: 20, speech: &speech, from: 11_000,
            until: 13_000)
        #expect(recorder.statistics.droppedLate == .zero)
        #expect(recorder.statistics.replaced == .zero)
        let words = Array(speech.spoken[before...])
        #expect(Array(recorder.turnTaking.suffix(words.count)) == words)
        #expect(Array(recorder.transcription.suffix(words.count)) == words)
        #expect(abs((recorder.timeline.position - .milliseconds(13_000)).milliseconds) <= 40)
        #expect(recorder.isContiguous)
    }

    @Test func textOnlyIsFedByTheClock() {
        var recorder = TimelineRecorder()
        recorder.tick(from: 0, to: 60_010)
        #expect(recorder.timeline.position == .milliseconds(59_980))
        #expect(recorder.timeline.transcribedPosition == .milliseconds(58_980))
        #expect(recorder.segments.allSatisfy { $0.isSilence && $0.audience != .everyone })
        #expect(recorder.statistics.stalls == 0)
        #expect(recorder.isContiguous)
    }

    @Test func latencyThatStaysHigherDoesNotLeaveTurnTakingDeaf() {
        var recorder = TimelineRecorder()
        var speech = CountedSpeech()
        recorder.run(arrivals: Self.steady(0..<50), packet: 20, speech: &speech, until: 1_000)
        let before = speech.spoken.count
        recorder.run(
            arrivals: (50..<150).map { Double($0) * 20 + 150 }, packet: 20, speech: &speech, from: 1_000, until: 3_150)
        #expect(Array(recorder.turnTaking.suffix(99 * 320)) == Array(speech.spoken[(before + 320)...]))
        #expect(recorder.statistics.stalls == 1)
        #expect(recorder.isContiguous)
    }

    private static func steady(_ packets: Range<Int>) -> [Double] { packets.map { Double($0) * 20 } }
}

extension TimelineRecorder {
    /// Receives a packet of `speech` at each of `arrivals` and ticks every 10 ms in between.
    mutating func run(
        arrivals: [Double], packet: Int, speech: inout CountedSpeech, from start: Double = 0, until end: Double
    ) {
        var index = 0
        for time in stride(from: start, to: end, by: 10) {
            while index < arrivals.count, arrivals[index] <= time {
                receive(speech.packet(packet), at: arrivals[index])
                index += 1
            }
            tick(at: time)
        }
        while index < arrivals.count {
            receive(speech.packet(packet), at: arrivals[index])
            index += 1
        }
    }
}

/// A small generator with a seed, so that a test is the same every time.
struct SplitMix {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next(_ bound: UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ value >> 30) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ value >> 27) &* 0x94D0_49BB_1331_11EB
        return (value ^ value >> 31) % bound
    }
}
