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

    // What mutates cannot be an argument of #expect.
    private func expectDead(_ dead: [String], _ expected: [String], sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(dead.sorted() == expected, sourceLocation: sourceLocation)
    }
    private func expectNews(_ isNews: Bool, _ expected: Bool = true, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(isNews == expected, sourceLocation: sourceLocation)
    }

    private func three() -> Run {
        var run = Run()
        _ = run.advance(1_000, beating: ["a", "b", "c"])
        return run
    }

    @Test func halfASecondOfSilenceIsDeath() {
        var run = three()
        expectDead(run.advance(400, beating: ["b", "c"]), [])
        expectDead(run.advance(200, beating: ["b", "c"]), ["a"])
        #expect(run.vigil.dead == ["a"])
        expectDead(run.advance(2_000, beating: ["b", "c"]), [])
    }

    @Test func theEndOfAConnectionIsDeathAtOnceAndOnce() {
        var run = three()
        expectNews(run.vigil.ended("a"))
        expectNews(run.vigil.ended("a"), false)
        #expect(!run.vigil.isAlive("a"))
    }

    @Test func silenceOfManyIsDoubtedForTwoLeasePeriods() {
        var run = three()
        expectDead(run.advance(6_400, beating: ["c"]), [])
        expectDead(run.advance(400, beating: ["c"]), ["a", "b"])
    }

    @Test func manyThatSpeakAgainWereNeverDead() {
        var run = three()
        expectDead(run.advance(3_000, beating: ["c"]), [])
        expectDead(run.advance(3_000, beating: ["a", "b", "c"]), [])
        #expect(run.vigil.dead.isEmpty)
        // Doubt begins anew.
        expectDead(run.advance(5_000, beating: ["c"]), [])
    }

    @Test func endsOfManyConnectionsAreBelieved() {
        var run = three()
        expectNews(run.vigil.ended("a"))
        expectNews(run.vigil.ended("b"))
        #expect(run.vigil.dead == ["a", "b"])
    }

    @Test func oneOfTwoIsNotMany() {
        var run = Run()
        _ = run.advance(1_000, beating: ["a", "b"])
        expectDead(run.advance(700, beating: ["b"]), ["a"])
    }

    @Test func aPauseOfThisProcessKillsNobody() {
        var run = three()
        expectDead(run.pause(20_000), [])
        expectDead(run.advance(400, beating: ["a", "b", "c"]), [])
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
