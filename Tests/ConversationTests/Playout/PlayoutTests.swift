import Audio
import Testing

@testable import Conversation

@Suite struct PlayoutTests {
    private func id(_ reply: UInt32, _ index: UInt32) -> SentenceID { PlayoutRun.id(reply, index) }

    @Test func audioIsSentInRealTimeAheadByTheLead() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, milliseconds: 1_000)
        run.playout.complete(1, sentences: 1)
        run.run(to: 1_200)
        #expect(run.sent[0] == 160)
        #expect(run.sent[20] == 20)
        #expect(run.frames.allSatisfy { $0.samples.count == 320 })
        #expect(run.frames.map(\.at).max() == 840)
        #expect(run.frames.flatMap(\.samples) == PlayoutRun.audio(1_000))
        #expect(run.events.first == .replyStarted(1))
        #expect(run.reports.map(\.heard) == [.milliseconds(1_000)])
        #expect(run.reports.map(\.isComplete) == [true])
    }

    @Test func aLateTickSendsWhatIsMissingAndNoMore() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, milliseconds: 2_000)
        run.run(to: 100)
        run.run(to: 200, step: 100)
        #expect(run.sent[100] == 20)
        run.run(to: 300)
        #expect(run.sent[200] == 100)
        // A stall longer than the lead is silence for the caller: afterwards the lead is built up again, not the loss.
        run.run(to: 801, step: 501)
        run.run(to: 900)
        #expect(run.sent[801] == 160)
    }

    @Test func theCallerIsWhereTheLastSampleSentWouldBeMinusTheBuffer() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, "one two three four", milliseconds: 2_000)
        run.run(to: 1_000)
        let report = run.playout.stop(run.nanoseconds)
        #expect(report?.heard == .milliseconds(1_000))
        #expect(report?.error == .milliseconds(160))
        #expect(report?.isComplete == false)
        #expect(report?.text == "one")
        #expect(run.playout.currentReply == nil)
        #expect(run.playout.stop(run.nanoseconds) == nil)
    }

    @Test func marksOfTheBackendMakeThePositionExact() {
        var settings = PlayoutSettings()
        settings.hasMarks = true
        var run = PlayoutRun(settings)
        run.playout.begin(1)
        run.add(1, 0, "one two three four", milliseconds: 2_000)
        run.playout.mark(
            id(1, 0),
            words: ["one", "two", "three", "four"].enumerated().map { index, word in
                SpokenWord(
                    word: word, start: .milliseconds(Int64(index) * 500), end: .milliseconds(Int64(index) * 500 + 450))
            })
        run.run(to: 1_200)
        run.playout.acknowledge(1, upTo: .milliseconds(1_000))
        run.playout.acknowledge(1, upTo: .milliseconds(980))
        let report = run.playout.stop(run.nanoseconds)
        #expect(report?.heard == .milliseconds(1_000))
        #expect(report?.error == .zero)
        #expect(report?.text == "one two")
    }

    @Test func sentencesAreHeldUntilTheyAreReleased() {
        var run = PlayoutRun()
        run.add(1, 0, milliseconds: 500, released: false)
        run.run(to: 400)
        #expect(run.frames.isEmpty)
        #expect(run.playout.currentReply == nil)
        run.playout.begin(1)
        run.run(to: 500)
        #expect(run.frames.isEmpty)
        run.playout.release(id(1, 0))
        run.run(to: 600)
        #expect(run.frames.first?.at == 500)
        #expect(run.playout.currentReply == 1)
    }

    @Test func aDiscardedSpeculationIsNeverHeard() {
        var run = PlayoutRun()
        run.add(1, 0, milliseconds: 500, released: false)
        run.playout.discard(1)
        run.playout.release(id(1, 0))
        run.add(2, 0, milliseconds: 100)
        run.run(to: 300)
        #expect(Set(run.frames.map(\.reply)) == [2])
    }

    @Test func repliesFollowEachOther() {
        var run = PlayoutRun()
        for reply: UInt32 in [1, 2] {
            run.playout.begin(reply)
            run.add(reply, 0, milliseconds: 200)
            run.playout.complete(reply, sentences: 1)
        }
        run.run(to: 600)
        let second = run.frames.first { $0.reply == 2 }
        #expect(second?.at == 200)
        #expect(second?.first == 0)
        #expect(run.reports.map(\.reply) == [1, 2])
    }

    @Test func eventsComeWhenSentencesAreHeard() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, milliseconds: 200)
        run.add(1, 1, milliseconds: 200)
        run.playout.complete(1, sentences: 2)
        run.run(to: 181)
        #expect(run.events == [.replyStarted(1), .sentenceStarted(id(1, 0)), .sentenceStarted(id(1, 1))])
        run.run(to: 500)
        #expect(Array(run.events.dropFirst(3).prefix(2)) == [.sentenceFinished(id(1, 0)), .sentenceFinished(id(1, 1))])
        #expect(run.reports.first?.sentences.map(\.isComplete) == [true, true])
        #expect(run.reports.first?.text == "one two one two")
    }

    @Test func aSentenceWithoutAudioIsPassedOver() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.playout.announce(id(1, 0), text: "silent")
        run.playout.finish(id(1, 0))
        run.playout.release(id(1, 0))
        run.add(1, 1, milliseconds: 100)
        run.playout.complete(1, sentences: 2)
        run.run(to: 400)
        #expect(run.events.contains(.sentenceFinished(id(1, 0))))
        #expect(run.events.contains(.replyStarted(1)))
        #expect(run.reports.first?.text == "one two")
    }

    @Test func lateAudioIsAnUnderrunAndThePositionStandsStill() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.playout.announce(id(1, 0), text: "one two three")
        run.playout.release(id(1, 0))
        run.playout.append(id(1, 0), PlayoutRun.audio(200))
        run.run(to: 700)
        #expect(run.events.filter { $0 == .underrun(1) }.count == 1)
        #expect(run.playout.underruns == 1)
        run.playout.append(id(1, 0), PlayoutRun.audio(200))
        run.run(to: 800)
        #expect(run.sent[700] == 160)
        #expect(run.playout.stop(run.nanoseconds)?.heard == .milliseconds(300))
    }

    @Test func aReplyThatIsStillBeingWrittenIsNoUnderrun() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, milliseconds: 100)
        run.run(to: 600)
        #expect(run.playout.underruns == 0)
        #expect(run.reports.isEmpty)
        run.playout.complete(1, sentences: 1)
        run.run(to: 640)
        #expect(run.reports.count == 1)
    }

    @Test func aPauseGoesBackToWhereTheCallerWas() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, milliseconds: 1_000)
        run.playout.complete(1, sentences: 1)
        run.run(to: 400)
        #expect(run.playout.pause(run.nanoseconds) == 1)
        run.run(to: 2_000)
        #expect(run.frames.map(\.at).max() == 380)
        run.playout.resume(run.nanoseconds)
        run.run(to: 2_700)
        let again = run.frames.first { $0.at == 2_000 }
        #expect(again?.first == 400 * 16)
        #expect(again?.samples.first == PlayoutRun.audio(1_000)[400 * 16])
        #expect(run.reports.first?.heard == .milliseconds(1_000))
        #expect(run.events.filter { $0 == .sentenceStarted(id(1, 0)) }.count == 1)
    }

    @Test func aPauseGoesBackIntoTheSentenceBefore() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, milliseconds: 500)
        run.add(1, 1, milliseconds: 500)
        run.playout.complete(1, sentences: 2)
        run.run(to: 460)
        #expect(run.frames.last.map { $0.first + 320 } == 600 * 16)
        _ = run.playout.pause(run.nanoseconds)
        run.playout.resume(run.nanoseconds)
        let count = run.frames.count
        run.run(to: 1_200)
        let again = run.frames.dropFirst(count).flatMap(\.samples)
        #expect(again == Array(PlayoutRun.audio(500)[(460 * 16)...]) + PlayoutRun.audio(500))
        #expect(run.reports.first?.isComplete == true)
    }

    @Test func whatIsHeldIsPlayedToTheEndOfWhatWasSent() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, milliseconds: 1_000)
        run.playout.complete(1, sentences: 1)
        run.run(to: 400)
        let sent = run.frames.flatMap(\.samples).count
        run.playout.hold(run.nanoseconds)
        #expect(run.playout.isPaused)
        run.run(to: 460)
        #expect(run.playout.heardSoFar(of: 1) == .milliseconds(440))
        run.run(to: 2_000)
        #expect(run.playout.heardSoFar(of: 1) == SessionTime(samples: Int64(sent)))
        run.playout.resume(run.nanoseconds)
        run.run(to: 2_800)
        #expect(run.frames.flatMap(\.samples) == PlayoutRun.audio(1_000))
        #expect(run.reports.first?.heard == .milliseconds(1_000))
    }

    @Test func whatIsHeldAndStoppedWasHeardAsFarAsItWasSent() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, milliseconds: 1_000)
        run.run(to: 400)
        let sent = run.frames.flatMap(\.samples).count
        run.playout.hold(run.nanoseconds)
        run.run(to: 2_000)
        #expect(run.playout.stop(run.nanoseconds)?.heard == SessionTime(samples: Int64(sent)))
        #expect(!run.playout.isPaused)
    }

    @Test func aStopAtTheSentenceEndSendsAgainWhatTheClientDrops() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, "first", milliseconds: 500)
        run.add(1, 1, "second", milliseconds: 500)
        run.run(to: 200)
        #expect(run.playout.stopAtSentenceEnd(run.nanoseconds, clearing: true) == .finishing(clear: 1))
        let count = run.frames.count
        run.run(to: 1_000)
        #expect(run.frames.dropFirst(count).flatMap(\.samples) == Array(PlayoutRun.audio(500)[(200 * 16)...]))
        #expect(run.reports.first?.text == "first")
    }

    @Test func nothingBeginsDuringAPause() {
        var run = PlayoutRun()
        #expect(run.playout.pause(0) == nil)
        run.playout.begin(1)
        run.add(1, 0, milliseconds: 200)
        run.run(to: 400)
        #expect(run.frames.isEmpty)
        #expect(run.playout.stop(run.nanoseconds)?.heard == .zero)
        #expect(!run.playout.isPaused)
    }

    @Test func aStopAtTheSentenceEndDropsTheRest() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, "first", milliseconds: 500)
        run.add(1, 1, "second", milliseconds: 500)
        run.playout.complete(1, sentences: 2)
        run.run(to: 200)
        #expect(run.playout.stopAtSentenceEnd(run.nanoseconds) == .finishing(clear: nil))
        run.add(1, 2, "third", milliseconds: 500)
        run.run(to: 1_000)
        #expect(run.frames.flatMap(\.samples).count == 500 * 16)
        #expect(run.reports.first?.text == "first")
        #expect(run.reports.first?.isComplete == false)
    }

    @Test func aStopAtTheSentenceEndTakesBackTheNextSentence() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, "first", milliseconds: 500)
        run.add(1, 1, "second", milliseconds: 500)
        run.run(to: 440)
        #expect(run.playout.stopAtSentenceEnd(run.nanoseconds) == .finishing(clear: 1))
        let count = run.frames.count
        run.run(to: 1_000)
        #expect(run.frames.dropFirst(count).flatMap(\.samples).count == 60 * 16)
        #expect(run.reports.first?.heard == .milliseconds(500))
        #expect(run.playout.stopAtSentenceEnd(run.nanoseconds) == .stopped(nil))
    }

    @Test func aTakeoverGoesOnInsideASentence() {
        var run = PlayoutRun()
        run.playout.begin(7, position: .milliseconds(3_000))
        run.playout.announce(id(7, 2), text: "one two three four", skipping: .milliseconds(250))
        run.playout.release(id(7, 2))
        run.playout.append(id(7, 2), Array(PlayoutRun.audio(1_000)[..<1_600]))
        run.playout.append(id(7, 2), Array(PlayoutRun.audio(1_000)[1_600...]))
        run.playout.finish(id(7, 2))
        run.playout.complete(7, sentences: 3)
        run.run(to: 1_000)
        #expect(run.frames.first?.first == 3_250 * 16)
        #expect(run.frames.flatMap(\.samples) == Array(PlayoutRun.audio(1_000)[4_000...]))
        #expect(run.reports.first?.heard == .milliseconds(4_000))
        #expect(run.reports.first?.sentences.first?.heard == .milliseconds(1_000))
    }

    @Test func aCallerWhoTakesNothingKeepsTheirPosition() {
        var run = PlayoutRun()
        run.playout.begin(1)
        run.add(1, 0, milliseconds: 1_000)
        run.run(to: 101)
        run.playout.stall(1_101 * 1_000_000)
        #expect(run.playout.stop(1_101 * 1_000_000)?.heard == .milliseconds(100))
    }

    @Test func whatIsKeptIsBounded() {
        var settings = PlayoutSettings()
        settings.maximumSamples = 16_000
        var run = PlayoutRun(settings)
        run.playout.begin(1)
        run.playout.announce(id(1, 0), text: "long")
        run.playout.append(id(1, 0), PlayoutRun.audio(900))
        run.playout.append(id(1, 0), PlayoutRun.audio(900))
        #expect(run.playout.samples(of: id(1, 0)) == .milliseconds(1_000))
        #expect(run.playout.dropped == 800 * 16)
        run.playout.discard(1)
        run.add(2, 0, milliseconds: 1_000)
        #expect(run.playout.samples(of: id(2, 0)) == .milliseconds(1_000))
    }

    @Test(arguments: [1, 2, 3, 4, 5] as [UInt64])
    func theCallerHearsEverySampleOnceInOrderWhateverHappens(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var run = PlayoutRun()
        run.playout.begin(1)
        var heard: [Int16] = []
        var expected: [Int16] = []
        for index in 0..<UInt32(6) {
            run.add(1, index, milliseconds: Int.random(in: 5...400, using: &random))
            expected += PlayoutRun.audio(
                run.playout.samples(of: id(1, index)).samples > 0
                    ? Int(run.playout.samples(of: id(1, index)).milliseconds) : 0)
        }
        run.playout.complete(1, sentences: 6)
        while run.reports.isEmpty, run.now < 20_000 {
            run.run(to: run.now + Int64.random(in: 1...90, using: &random), step: 90)
            if Int.random(in: 0..<10, using: &random) == 0 {
                _ = run.playout.pause(run.nanoseconds)
                run.run(to: run.now + 300)
                run.playout.resume(run.nanoseconds)
            }
        }
        // The client flushes at a pause, so a frame sent again replaces what lay behind its position.
        for frame in run.frames {
            heard.removeLast(max(0, heard.count - frame.first))
            #expect(heard.count == frame.first)
            heard += frame.samples
        }
        #expect(heard == expected)
        #expect(run.reports.first?.isComplete == true)
    }
}
