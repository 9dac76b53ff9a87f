import Placement
import Resilience
import Testing

@Suite struct PlacementPolicyTests {
    private func worker(
        _ id: String, load: Double = 0, reserved: Double = 0, measured: Double = 0, draining: Bool = false,
        region: String = "eu1", labels: Set<String> = []
    ) -> WorkerEntry {
        WorkerEntry(
            id: id, host: "h", port: 1, capacity: 10, load: load, reserved: reserved, measuredLoad: measured,
            isDraining: draining, region: region, labels: labels)
    }

    private func order(_ workers: [WorkerEntry], seed: UInt64 = 1) -> [String] {
        var generator = SeededRandom(seed: seed)
        return PlacementOrder(workers.map(\.pressure), using: &generator).map { workers[$0].id }
    }

    @Test func drainingWorkersAndOtherRegionsAreNotAsked() {
        let workers = [worker("a"), worker("b", draining: true), worker("c", region: "us1")]
        #expect(PlacementPolicy.peers(workers, for: .init(region: "eu1")).map(\.id) == ["a"])
        #expect(PlacementPolicy.peers(workers, for: .init()).map(\.id) == ["a", "c"])
    }

    @Test func aWorkerHasAllLabelsThatAreAskedFor() {
        let workers = [worker("a"), worker("b", labels: ["gpu"]), worker("c", labels: ["gpu", "large"])]
        #expect(PlacementPolicy.peers(workers, for: .init(labels: ["gpu"])).map(\.id) == ["b", "c"])
        #expect(PlacementPolicy.peers(workers, for: .init(labels: ["gpu", "large"])).map(\.id) == ["c"])
        #expect(PlacementPolicy.peers(workers, for: .init()).count == 3)
    }

    @Test func theLessLoadedOfTwoIsAskedFirst() {
        for seed in 0..<50 { #expect(order([worker("a", load: 9), worker("b", load: 1)], seed: UInt64(seed)) == ["b", "a"]) }
    }

    @Test func reservationsAndMeasuredLoadCount() {
        #expect(order([worker("a", load: 1, reserved: 5), worker("b", load: 3)]) == ["b", "a"])
        #expect(order([worker("a", load: 1, measured: 0.9), worker("b", load: 3)]) == ["b", "a"])
    }

    @Test func everyWorkerIsAskedOnceAndTheRestInOrderOfLoad() {
        let workers = (0..<20).map { worker("\($0)", load: Double($0 % 10)) }
        for seed in 0..<20 {
            let order = order(workers, seed: UInt64(seed))
            #expect(Set(order).count == 20)
            let loads = order.dropFirst().compactMap { id in workers.first { $0.id == id }?.load }
            #expect(loads == loads.sorted())
        }
    }

    @Test func theFullestWorkersAreRarelyAskedFirst() {
        let workers = (0..<10).map { worker("\($0)", load: Double($0)) }
        let first = (0..<1_000).compactMap { order(workers, seed: UInt64($0)).first }
        #expect(first.count { $0 == "9" } == 0)
        #expect(first.count { $0 == "0" } > 150)
        #expect(Set(first).count > 5)
    }

    @Test func newSessionsLeaveRoomForOneWorkerThatDies() {
        #expect(PlacementPolicy.reserve(workers: 1) == 0.1)
        #expect(PlacementPolicy.reserve(workers: 2) == 0.5)
        #expect(PlacementPolicy.reserve(workers: 4) == 0.25)
        #expect(PlacementPolicy.reserve(workers: 40) == 0.1)
        #expect(PlacementPolicy.reserve(workers: 4, for: .takeover) == 0)
    }

    @Test func sumsOfWeightsThatAreNotExactStillFit() {
        let used = (0..<9).reduce(0.0) { sum, _ in sum + 0.1 }
        #expect(PlacementPolicy.fits(0.1, used: used, capacity: 1, reserve: 0))
        #expect(!PlacementPolicy.fits(0.2, used: used, capacity: 1, reserve: 0))
    }
}
