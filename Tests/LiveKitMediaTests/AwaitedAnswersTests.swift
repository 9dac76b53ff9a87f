import NIOCore
import NIOEmbedded
import Testing

@testable import LiveKitMedia

@Suite struct AwaitedAnswersTests {
    private func add(_ answers: inout AwaitedAnswers, on loop: EmbeddedEventLoop, within seconds: Int64) -> (number: UInt64, looks: Bool) {
        answers.add(on: loop, within: .seconds(seconds)) { _ in }
    }

    @Test func anAnswerIsForOneRequestAndForgottenThen() {
        let loop = EmbeddedEventLoop()
        var answers = AwaitedAnswers()
        let first = add(&answers, on: loop, within: 5).number
        let second = add(&answers, on: loop, within: 5).number
        #expect(first != 0 && first != second && answers.count == 2)
        #expect(answers.remove(first) != nil)
        #expect(answers.remove(first) == nil && answers.remove(99) == nil)
        #expect(answers.count == 1)
    }

    @Test func whatIsLateIsForgottenAndTheRestIsLookedAtAgain() {
        let loop = EmbeddedEventLoop()
        var answers = AwaitedAnswers()
        _ = add(&answers, on: loop, within: 3)
        let longer = add(&answers, on: loop, within: 7).number
        _ = add(&answers, on: loop, within: 2)
        loop.advanceTime(by: .milliseconds(1_999))
        #expect(answers.removeLate(on: loop).late.isEmpty)
        loop.advanceTime(by: .milliseconds(1_001))
        let (late, goesOn) = answers.removeLate(on: loop)
        #expect(late.map(\.patience) == [.seconds(3), .seconds(2)] && goesOn)
        #expect(answers.count == 1)
        _ = answers.remove(longer)
        let rest = answers.removeLate(on: loop)
        #expect(rest.late.isEmpty && !rest.goesOn)
    }

    @Test func oneLookAtATimeIsUnderWayForAnEventLoop() {
        let (loop, other) = (EmbeddedEventLoop(), EmbeddedEventLoop())
        var answers = AwaitedAnswers()
        #expect(add(&answers, on: loop, within: 1).looks)
        #expect(!add(&answers, on: loop, within: 1).looks)
        #expect(add(&answers, on: other, within: 1).looks)
        loop.advanceTime(by: .seconds(1))
        #expect(!answers.removeLate(on: loop).goesOn)
        #expect(add(&answers, on: loop, within: 1).looks)
    }

    @Test func anEventLoopLooksAtItsOwnRequestsByItsOwnClock() {
        let (loop, other) = (EmbeddedEventLoop(), EmbeddedEventLoop())
        var answers = AwaitedAnswers()
        _ = add(&answers, on: loop, within: 1)
        _ = add(&answers, on: other, within: 1)
        loop.advanceTime(by: .seconds(60))
        #expect(answers.removeLate(on: other).late.isEmpty)
        #expect(answers.removeLate(on: loop).late.count == 1)
        #expect(answers.count == 1)
    }
}
