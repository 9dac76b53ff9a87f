import Testing

@testable import Audio

@Suite struct SessionTimelineClockTests {
    /// An hour of 40 ms packets from a client whose clock is off by `partsPerMillion`; counters only, samples are not kept.
    private func hour(partsPerMillion: Double) -> (timeline: SessionTimeline, worst: Int64) {
        var timeline = SessionTimeline()
        let packet = [Int16](repeating: 500, count: 640)
        let period = 40_000_000 / (1 + partsPerMillion / 1_000_000)
        var worst: Int64 = 0
        var tick: UInt64 = 0
        var index = 0
        while tick < 3_600_000 {
            let time = TimelineRecorder.origin + tick * 1_000_000
            while Double(index) * period <= Double(tick) * 1_000_000 {
                timeline.receive(packet.span, at: TimelineRecorder.origin + UInt64(Double(index) * period)) { _, _ in }
                index += 1
            }
            timeline.tick(at: time) { _, _ in }
            worst = max(worst, abs(timeline.position.milliseconds - Int64(tick)))
            tick += 20
        }
        return (timeline, worst)
    }

    @Test(arguments: [100.0, 1_000])
    func aFastClientDoesNotRunAheadInAnHour(partsPerMillion: Double) {
        let (timeline, worst) = hour(partsPerMillion: partsPerMillion)
        #expect(worst <= 80)
        #expect(timeline.statistics.silence == .zero)
        #expect(timeline.statistics.droppedAhead == .zero)
        let surplus = Int64(3_600_000 * partsPerMillion / 1_000_000)
        #expect(abs(timeline.statistics.leftOut.milliseconds - surplus) <= 60)
    }

    @Test(arguments: [100.0, 1_000])
    func aSlowClientDoesNotFallBehindInAnHour(partsPerMillion: Double) {
        let (timeline, worst) = hour(partsPerMillion: -partsPerMillion)
        #expect(worst <= 80)
        #expect(timeline.statistics.stalls == 0)
        #expect(timeline.statistics.silence == .zero)
        let missing = Int64(3_600_000 * partsPerMillion / 1_000_000)
        #expect(abs(timeline.statistics.repeated.milliseconds - missing) <= 60)
    }

    @Test func pipecatsPacketOfTwoSecondsIsTakenAtOnce() {
        var recorder = TimelineRecorder()
        var speech = CountedSpeech()
        recorder.run(arrivals: (0..<25).map { Double($0) * 40 }, packet: 40, speech: &speech, until: 1_000)
        recorder.receive(speech.packet(2_000), at: 1_000)
        #expect(recorder.turnTaking == speech.spoken)
        // The clock then has to catch up before it feeds silence.
        recorder.tick(from: 1_000, to: 3_000)
        #expect(recorder.statistics.silence == .zero)
        #expect(recorder.timeline.position == .milliseconds(3_000))
    }

    @Test func liveAudioIsBoundedAheadOfTheClock() {
        var recorder = TimelineRecorder()
        var speech = CountedSpeech()
        for _ in 0..<200 { recorder.receive(speech.packet(40), at: 0) }
        #expect(recorder.timeline.position == .milliseconds(2_540))
        let lost = recorder.statistics.droppedAhead + recorder.statistics.leftOut
        #expect(lost == .milliseconds(8_000 - 2_540))
        #expect(recorder.statistics.leftOut < .milliseconds(50))
    }

    @Test func aLeadIsWorkedOff() {
        var recorder = TimelineRecorder()
        var speech = CountedSpeech()
        recorder.receive(speech.packet(2_000), at: 0)
        recorder.receive(speech.packet(1_000), at: 0)
        recorder.run(
            arrivals: (1..<6_000).map { Double($0) * 20 }, packet: 20, speech: &speech, from: 10, until: 120_000)
        #expect(abs((recorder.timeline.position - .milliseconds(122_000)).milliseconds) <= 60)
        #expect(recorder.statistics.silence == .zero)
        #expect(recorder.statistics.droppedAhead == .zero)
    }

    @Test func aReplayIsTakenAtFullSpeedAndTheClockGoesOnFromThere() {
        var recorder = TimelineRecorder(startingAt: .milliseconds(60_000))
        var speech = CountedSpeech()
        for _ in 0..<375 { recorder.receive(speech.packet(40), at: 0, pace: .fullSpeed) }
        #expect(recorder.timeline.position == .milliseconds(75_000))
        recorder.run(
            arrivals: (1...100).map { Double($0) * 20 }, packet: 20, speech: &speech, from: 10, until: 2_010)
        #expect(recorder.turnTaking == speech.spoken)
        #expect(recorder.transcription == speech.spoken)
        #expect(recorder.timeline.position == .milliseconds(77_000))
        #expect(recorder.statistics == SessionTimeline.Statistics())
        #expect(recorder.isContiguous)
    }

    @Test func timeThatRunsBackwardsCountsAsTheLatest() {
        var recorder = TimelineRecorder()
        recorder.tick(from: 0, to: 1_010)
        let position = recorder.timeline.position
        recorder.tick(at: 500)
        #expect(recorder.timeline.position == position)
    }

    @Test(arguments: [UInt64(1), 2, 3, 4, 5, 6, 7, 8])
    func whateverComesPositionsAreContiguousAndFollowTheClock(seed: UInt64) {
        var first = TimelineRecorder()
        var second = TimelineRecorder()
        let chaos = Self.chaos(seed: seed)
        for step in chaos {
            first.perform(step)
            second.perform(step)
            let lag = Int64(step.time) - first.timeline.position.milliseconds
            #expect(lag <= 1_200)
            #expect(lag >= -2_600)
            let withheld = first.timeline.position - first.timeline.transcribedPosition
            #expect(withheld >= .zero && withheld <= .milliseconds(1_000))
        }
        #expect(first.isContiguous)
        // The same inputs give the same outputs.
        #expect(first.segments == second.segments)
        #expect(first.turnTaking == second.turnTaking)
        #expect(first.transcription == second.transcription)
    }

    struct Step {
        let time: Double
        let audio: [Int16]
    }

    private static func chaos(seed: UInt64) -> [Step] {
        var random = SplitMix(seed: seed)
        var steps: [Step] = []
        var time = 0.0
        while time < 30_000 {
            time += Double(random.next(12)) + (random.next(40) == 0 ? Double(random.next(2_500)) : 0)
            let isAudio = random.next(2) == 0
            let count = isAudio ? Int(random.next(30) == 0 ? random.next(48_000) : random.next(700)) : 0
            steps.append(Step(time: time, audio: [Int16](repeating: 77, count: count)))
        }
        return steps
    }
}

extension TimelineRecorder {
    fileprivate mutating func perform(_ step: SessionTimelineClockTests.Step) {
        if !step.audio.isEmpty { receive(step.audio, at: step.time) }
        tick(at: step.time)
    }
}
