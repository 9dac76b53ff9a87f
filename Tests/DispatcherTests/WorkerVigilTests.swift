import Testing

@testable import DispatcherService

/// Who is dead, and when that is believed. Times in milliseconds.
@Suite struct WorkerVigilTests {
    private struct Run {
        var vigil = WorkerVigil()
        private(set) var now: Int64 = 0

        /// Time goes on in ticks of 100 ms; `beating` beat in each.
        mutating func advance(_ milliseconds: Int64, beating: [String]) -> [String] {
            var dead: [String] = []
            for _ in 0..<milliseconds / 100 {
                now += 100
                for worker in beating { vigil.heard(worker, now: now * 1_000_000) }
                dead += vigil.tick(now: now * 1_000_000)
            }
            return dead
        }

        mutating func pause(_ milliseconds: Int64) -> [String] {
            now += milliseconds
            return vigil.tick(now: now * 1_000_000)
        }
    }

    private func three() -> Run {
        var run = Run()
        _ = run.advance(1_000, beating: ["a", "b", "c"])
        return run
    }

    @Test func halfASecondOfSilenceIsDeath() {
        var run = three()
        let answer1 = run.advance(400, beating: ["b", "c"])
        #expect(answer1.isEmpty)
        let answer2 = run.advance(200, beating: ["b", "c"])
        #expect(answer2 == ["a"])
        #expect(run.vigil.dead == ["a"])
        let answer3 = run.advance(2_000, beating: ["b", "c"])
        #expect(answer3.isEmpty)
    }

    @Test func theEndOfAConnectionIsDeathAtOnceAndOnce() {
        var run = three()
        let answer4 = run.vigil.ended("a")
        #expect(answer4)
        let answer5 = run.vigil.ended("a")
        #expect(!answer5)
        #expect(!run.vigil.isAlive("a"))
    }

    @Test func silenceOfManyIsDoubtedForTwoLeasePeriods() {
        var run = three()
        let answer6 = run.advance(6_400, beating: ["c"])
        #expect(answer6.isEmpty)
        let answer7 = run.advance(400, beating: ["c"])
        #expect(answer7.sorted() == ["a", "b"])
    }

    @Test func manyThatSpeakAgainWereNeverDead() {
        var run = three()
        let answer8 = run.advance(3_000, beating: ["c"])
        #expect(answer8.isEmpty)
        let answer9 = run.advance(3_000, beating: ["a", "b", "c"])
        #expect(answer9.isEmpty)
        #expect(run.vigil.dead.isEmpty)
        // Doubt begins anew.
        let answer10 = run.advance(5_000, beating: ["c"])
        #expect(answer10.isEmpty)
    }

    @Test func endsOfManyConnectionsAreBelieved() {
        var run = three()
        let answer11 = run.vigil.ended("a")
        #expect(answer11)
        let answer12 = run.vigil.ended("b")
        #expect(answer12)
        #expect(run.vigil.dead == ["a", "b"])
    }

    @Test func oneOfTwoIsNotMany() {
        var run = Run()
        _ = run.advance(1_000, beating: ["a", "b"])
        let answer13 = run.advance(700, beating: ["b"])
        #expect(answer13 == ["a"])
    }

    @Test func aPauseOfThisProcessKillsNobody() {
        var run = three()
        let answer14 = run.pause(20_000)
        #expect(answer14.isEmpty)
        let answer15 = run.advance(400, beating: ["a", "b", "c"])
        #expect(answer15.isEmpty)
        #expect(run.vigil.dead.isEmpty)
    }

    @Test func theDeadMayComeBack() {
        var run = three()
        _ = run.vigil.ended("a")
        _ = run.advance(100, beating: ["a", "b", "c"])
        #expect(run.vigil.isAlive("a"))
    }

    @Test func theForgottenAreNeitherDeadNorAlive() {
        var run = three()
        _ = run.vigil.ended("a")
        run.vigil.forget("a")
        #expect(run.vigil.dead.isEmpty)
        #expect(!run.vigil.isAlive("a"))
    }
}
