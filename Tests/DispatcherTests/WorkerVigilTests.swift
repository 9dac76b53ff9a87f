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
        #expect(run.advance(400, beating: ["b", "c"]).isEmpty)
        #expect(run.advance(200, beating: ["b", "c"]) == ["a"])
        #expect(run.vigil.dead == ["a"])
        #expect(run.advance(2_000, beating: ["b", "c"]).isEmpty)
    }

    @Test func theEndOfAConnectionIsDeathAtOnceAndOnce() {
        var run = three()
        #expect(run.vigil.ended("a"))
        #expect(!run.vigil.ended("a"))
        #expect(!run.vigil.isAlive("a"))
    }

    @Test func silenceOfManyIsDoubtedForTwoLeasePeriods() {
        var run = three()
        #expect(run.advance(6_400, beating: ["c"]).isEmpty)
        #expect(run.advance(400, beating: ["c"]).sorted() == ["a", "b"])
    }

    @Test func manyThatSpeakAgainWereNeverDead() {
        var run = three()
        #expect(run.advance(3_000, beating: ["c"]).isEmpty)
        #expect(run.advance(3_000, beating: ["a", "b", "c"]).isEmpty)
        #expect(run.vigil.dead.isEmpty)
        // Doubt begins anew.
        #expect(run.advance(5_000, beating: ["c"]).isEmpty)
    }

    @Test func endsOfManyConnectionsAreBelieved() {
        var run = three()
        #expect(run.vigil.ended("a"))
        #expect(run.vigil.ended("b"))
        #expect(run.vigil.dead == ["a", "b"])
    }

    @Test func oneOfTwoIsNotMany() {
        var run = Run()
        _ = run.advance(1_000, beating: ["a", "b"])
        #expect(run.advance(700, beating: ["b"]) == ["a"])
    }

    @Test func aPauseOfThisProcessKillsNobody() {
        var run = three()
        #expect(run.pause(20_000).isEmpty)
        #expect(run.advance(400, beating: ["a", "b", "c"]).isEmpty)
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
