import Audio
import Testing

@testable import Conversation

@Suite struct CallerSilenceTests {
    /// What is sent of frames of 20 ms whose samples are their numbers.
    private struct Run {
        var silence = CallerSilence(since: .zero)
        var now = SessionTime.zero
        var frames: Int16 = 0
        var sent: [[Int16]] = []

        mutating func pass(_ count: Int) {
            for _ in 0..<count {
                let frame = [Int16](repeating: frames, count: 320)
                frames += 1
                now += .milliseconds(20)
                silence.pass(frame.span, at: now) { samples in sent.append(samples.indices.map { samples[$0] }) }
            }
        }

        mutating func flush() { silence.flush { samples in sent.append(samples.indices.map { samples[$0] }) } }

        /// Everything once, in order.
        var isWhole: Bool { sent.flatMap(\.self) == (0..<frames).flatMap { [Int16](repeating: $0, count: 320) } }
    }

    @Test func aLongSilenceGoesInPieces() {
        var run = Run()
        run.pass(49)
        #expect(run.sent.count == 49)
        run.pass(50)
        #expect(run.sent.count == 59 && run.sent.dropFirst(49).allSatisfy { $0.count == 1_600 } && run.isWhole)
    }

    @Test func speechGoesAtOnceAndTakesWhatWaitsWithIt() {
        var run = Run()
        run.pass(62)
        let before = run.sent.count
        run.silence.since = nil
        run.pass(1)
        #expect(run.sent.count == before + 2 && run.sent.last?.count == 320 && run.isWhole)
        run.pass(200)
        #expect(run.sent.count == before + 202 && run.isWhole)
    }

    @Test func whatFollowsSpeechGoesAtOnceForASecond() {
        var run = Run()
        run.silence.since = nil
        run.pass(100)
        run.silence.since = run.now
        run.pass(49)
        #expect(run.sent.count == 149)
        run.pass(10)
        #expect(run.sent.count == 151 && run.isWhole)
    }

    @Test func whatWaitsCanBeSentOrForgotten() {
        var run = Run()
        run.pass(52)
        run.flush()
        #expect(run.isWhole)
        let before = run.sent.count
        run.flush()
        #expect(run.sent.count == before)
        run.pass(2)
        run.silence.forget()
        run.flush()
        #expect(run.sent.count == before)
    }
}
