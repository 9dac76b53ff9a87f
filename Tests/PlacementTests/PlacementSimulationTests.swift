import Placement
import PlacementSimulation
import Testing

@Suite struct PlacementSimulationTests {
    @Test(.timeLimit(.minutes(5))) func aMillionPlacementsNeverOverbookAWorker() {
        let result = PlacementSimulation.run()
        #expect(result.placed + result.refused == 1_000_000)
        #expect(result.overbooked == 0)
        #expect(result.highest <= 1.000_001)
        // Twenty workers leave a tenth free for takeovers, which use it.
        #expect(result.highestAfterNew <= 0.900_001)
        #expect(result.highest > 0.95)
        // The cluster was full at times, and had room at others.
        #expect(result.refused > 10_000)
        #expect(result.placed > 500_000)
        // The fullest worker is little above the mean, although dispatchers look at old numbers.
        #expect(result.meanExcess < 0.3)
    }

    @Test func theSameSeedGivesTheSameRun() {
        var options = PlacementSimulation.Options()
        options.placements = 5_000
        options.seed = 7
        #expect(PlacementSimulation.run(options) == PlacementSimulation.run(options))
    }

    private func reserve(
        _ reservation: Int, _ weight: Double, _ worker: inout ReservationModel, now: Int64 = 0
    ) -> WorkerRegistry.Reservation {
        worker.reserve(reservation, weight: weight, share: 0, purpose: .new, now: now)
    }

    @Test func aUsedReservationCountsUntilTheBeatWithItsSession() {
        var worker = ReservationModel(capacity: 10)
        #expect(reserve(1, 6, &worker) == .ok)
        // Two beats of the worker: the first was read before the session came and arrives last.
        worker.beat(load: 6, usedReservations: [1], sequence: 2)
        let counts = worker.beat(load: 0, usedReservations: [], sequence: 1)
        #expect(!counts)
        #expect(worker.used == 6)
        #expect(reserve(2, 6, &worker) == .full)
    }

    @Test func reservationsLapse() {
        var worker = ReservationModel(capacity: 10)
        #expect(reserve(1, 10, &worker, now: 0) == .ok)
        #expect(reserve(2, 1, &worker, now: 11_999) == .full)
        #expect(reserve(2, 1, &worker, now: 12_000) == .ok)
    }
}
