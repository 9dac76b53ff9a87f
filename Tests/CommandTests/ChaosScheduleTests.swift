import CallerSimulator
import ProviderSimulator
import Testing

@testable import ParleyCommands

@Suite struct ChaosScheduleTests {
    private func schedule(_ seed: UInt64, kinds: [ChaosFault.Kind] = ChaosFault.Kind.allCases) -> ChaosSchedule {
        ChaosSchedule(seed: seed, milliseconds: 300_000, every: 5_000, kinds: kinds, shape: ChaosShape())
    }

    @Test func theSameSeedMakesTheSameSchedule() {
        #expect(schedule(7) == schedule(7))
        #expect(schedule(7) != schedule(8))
    }

    @Test func faultsAreInOrderWithinTheTimeAndOfEveryKind() {
        let faults = schedule(3).faults
        #expect(faults.count == 59 && faults.map(\.at) == faults.map(\.at).sorted())
        #expect(
            faults.allSatisfy { (0..<300_000).contains($0.at) && $0.kind.targets(ChaosShape()).contains($0.target) })
        #expect(Set(faults.map(\.kind)) == Set(ChaosFault.Kind.allCases))
        #expect(Set(schedule(3, kinds: [.killWorker]).faults.map(\.kind)) == [.killWorker])
        #expect(schedule(3, kinds: []).faults.isEmpty)
    }

    @Test func aPrintedScheduleIsReadAgain() throws {
        #expect(try ChaosSchedule(text: "# seed 5\n\n" + schedule(5).text) == schedule(5))
        #expect(throws: CommandError.self) { try ChaosSchedule(text: "1.000 explode redis 5 0") }
    }

    @Test func workersAreKilledOneAfterTheOther() {
        let faults = ChaosSchedule.killWorkers(milliseconds: 60_000, every: 10_000, shape: ChaosShape()).faults
        #expect(faults.map(\.target.last) == ["1", "2", "3", "1", "2", "3"])
        #expect(faults.map(\.at) == [5_000, 15_000, 25_000, 35_000, 45_000, 55_000])
    }

    @Test func timesAreRead() throws {
        #expect(try ChaosCommand.milliseconds("60s", "") == 60_000)
        #expect(try ChaosCommand.milliseconds("1.5m", "") == 90_000)
        #expect(try ChaosCommand.milliseconds("250ms", "") == 250)
        #expect(throws: (any Error).self) { try ChaosCommand.milliseconds("soon", "") }
    }

    /// Ambiguity is impossible: the book checks that no word occurs twice, and that all words and lines sound
    /// different.
    @Test func theConversationIsUnambiguous() throws {
        let book = try ChaosConversation.makeBook()
        #expect(book.words.count > 200)
        _ = try ChaosConversation.simulator(book)
        for line in book.lines { #expect(ChaosConversation.book.entry(for: line.text)?.said == line.text) }
    }
}
