import NIOCore
import NIOEmbedded
import Testing

@testable import Conversation

@Suite struct MediaClockTests {
    /// A clock on a loop whose time is advanced by hand, and when its sessions were ticked.
    private final class Bench {
        let loop = EmbeddedEventLoop()
        let clock: MediaClock
        /// Milliseconds, by session.
        var ticks: [[Int64]] = []
        var keys: [Int] = []

        init() { clock = MediaClock(on: loop) }

        func add(_ count: Int = 1) {
            for _ in 0..<count {
                let index = ticks.count
                ticks.append([])
                keys.append(clock.add { [unowned self] in ticks[index].append($0 / 1_000_000) })
            }
        }
    }

    private func gaps(_ ticks: [Int64]) -> [Int64] { zip(ticks.dropFirst(), ticks).map(-) }

    @Test func aSessionIsTickedEveryTwentyMilliseconds() {
        let bench = Bench()
        bench.add()
        bench.loop.advanceTime(by: .milliseconds(1_000))
        #expect((49...51).contains(bench.ticks[0].count))
        #expect(gaps(bench.ticks[0]).allSatisfy { $0 == 20 })
    }

    @Test func aFewShareAWakeUpAndManyAreSpread() {
        let bench = Bench()
        bench.add(8)
        bench.loop.advanceTime(by: .milliseconds(200))
        #expect(Set(bench.ticks).count == 1)
        bench.add(42)
        bench.loop.advanceTime(by: .milliseconds(1_000))
        let phases = Dictionary(grouping: bench.ticks) { ($0.last ?? 0) % 20 }
        #expect(phases.count == 4 && phases.values.allSatisfy { (8...17).contains($0.count) })
        for ticks in bench.ticks { #expect(gaps(ticks).allSatisfy { $0 == 20 }) }
    }

    @Test func aSessionThatIsRemovedIsTickedNoMore() {
        let bench = Bench()
        bench.add(2)
        bench.loop.advanceTime(by: .milliseconds(100))
        let before = bench.ticks[0].count
        bench.clock.remove(bench.keys[0])
        bench.loop.advanceTime(by: .milliseconds(100))
        #expect(bench.ticks[0].count == before && bench.ticks[1].count == before + 5)
    }

    @Test func aClockWithoutSessionsStandsStillAndBeginsAgain() {
        let bench = Bench()
        bench.add()
        bench.loop.advanceTime(by: .milliseconds(100))
        bench.clock.remove(bench.keys[0])
        bench.loop.advanceTime(by: .milliseconds(1_000))
        bench.add(9)
        bench.loop.advanceTime(by: .milliseconds(200))
        for ticks in bench.ticks.dropFirst() {
            #expect((9...10).contains(ticks.count) && gaps(ticks).allSatisfy { $0 == 20 })
        }
    }
}
