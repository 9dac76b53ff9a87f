import Resilience
import Testing

@Suite struct BackoffTests {
    @Test func delaysGrowToTheMaximum() {
        let backoff = Backoff(initial: .milliseconds(100), multiplier: 2, maximum: .seconds(1), jitter: 0)
        var random = SeededRandom(seed: 1)
        let delays = (0..<6).map { backoff.delay(retry: $0, using: &random) }
        #expect(
            delays == [
                .milliseconds(100), .milliseconds(200), .milliseconds(400), .milliseconds(800), .seconds(1),
                .seconds(1),
            ])
        #expect(backoff.delay(retry: .max, using: &random) == .seconds(1))
    }

    @Test func jitterSpreadsDelaysBelowTheFullOne() {
        let backoff = Backoff(initial: .seconds(1), multiplier: 2, maximum: .seconds(60), jitter: 0.5)
        var random = SeededRandom(seed: 7)
        let delays = (0..<1000).map { _ in backoff.delay(retry: 1, using: &random) }
        #expect(delays.allSatisfy { $0 > .seconds(1) && $0 <= .seconds(2) })
        #expect(Set(delays).count > 900)
        let mean = delays.reduce(.zero, +) / 1000
        #expect(mean > .milliseconds(1450) && mean < .milliseconds(1550))
    }

    @Test func theSameSeedGivesTheSameDelays() {
        var (first, second) = (SeededRandom(seed: 3), SeededRandom(seed: 3))
        #expect(Backoff().delay(retry: 2, using: &first) == Backoff().delay(retry: 2, using: &second))
    }
}
