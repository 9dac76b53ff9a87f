import Placement
import Testing

@Suite struct PlacementPolicyTests {
    private func worker(_ id: String, load: Double, capacity: Double = 10, draining: Bool = false) -> WorkerEntry {
        WorkerEntry(id: id, host: "h", port: 1, capacity: capacity, load: load, isDraining: draining)
    }

    @Test func drainingAndExcludedWorkersAreNotAsked() {
        var generator = SystemRandomNumberGenerator()
        let workers = [worker("a", load: 0), worker("b", load: 0, draining: true), worker("c", load: 0)]
        #expect(PlacementPolicy.order(workers, excluding: ["c"], using: &generator).map(\.id) == ["a"])
    }

    @Test func theLessLoadedOfTwoIsAskedFirst() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            let order = PlacementPolicy.order([worker("a", load: 9), worker("b", load: 1)], using: &generator)
            #expect(order.map(\.id) == ["b", "a"])
        }
    }

    @Test func everyWorkerIsAskedBeforeACallerIsRefused() {
        var generator = SystemRandomNumberGenerator()
        let workers = (0..<20).map { worker("\($0)", load: Double($0 % 10)) }
        #expect(Set(PlacementPolicy.order(workers, using: &generator).map(\.id)) == Set(workers.map(\.id)))
    }

    @Test func newSessionsLeaveRoomForOneWorkerThatDies() {
        #expect(PlacementPolicy.reserve(workers: 1) == 0.1)
        #expect(PlacementPolicy.reserve(workers: 4) == 0.25)
        #expect(PlacementPolicy.reserve(workers: 40) == 0.1)
    }
}
