import Placement
import Resilience

/// Places sessions without media: several dispatchers with old numbers, workers whose beats overtake each other, callers who never come. The
/// policy is the real one, the scripts are `ReservationModel`. The same seed gives the same run.
package struct PlacementSimulation {
    package struct Options: Sendable {
        package var seed: UInt64 = 1
        package var placements = 1_000_000
        package var workers = 20
        package var capacity = 100.0
        /// Sessions that arrive in a millisecond; it swings, so that the cluster is full about half of the time.
        package var arrivals = 5
        /// Of a hundred sessions so many weigh twenty.
        package var heavyPercent = 5
        /// Of a hundred so many are taken over from another worker.
        package var takeoverPercent = 2
        package init() {}
    }

    package struct Result: Sendable, Hashable {
        package var placed = 0
        package var refused = 0
        /// Times a worker had more than its capacity, promised places included.
        package var overbooked = 0
        /// The most that a worker had of its capacity, and the most that new sessions have left it with when they were placed.
        package var highest = 0.0
        package var highestAfterNew = 0.0
        /// How often workers were asked.
        package var asked = 0
        /// Sum of how far the fullest worker was above the mean, in shares of the capacity, and how often that was looked at.
        package var excess = 0.0
        package var samples = 0

        package var meanExcess: Double { samples > 0 ? excess / Double(samples) : 0 }
    }

    private enum Event {
        /// A dispatcher asks the next worker of its order.
        case ask(Attempt)
        /// The session arrives at its worker.
        case attach(worker: Int, reservation: Int, weight: Double)
        /// Its caller never came.
        case lapse(worker: Int, weight: Double)
        case end(worker: Int, weight: Double)
        case beat(worker: Int, load: Double, used: [Int], sequence: Int64)
    }

    private struct Attempt {
        let reservation: Int
        let weight: Double
        let purpose: PlacementRequest.Purpose
        /// The workers that had room when the dispatcher looked.
        let candidates: [Int]
        var order: PlacementOrder
    }

    private struct Worker {
        var model: ReservationModel
        /// Sessions that it has, and places that it has promised.
        var load = 0.0
        var promised = 0.0
        var unconfirmed: [Int] = []
        var sequence: Int64 = 0
        var hasChanged = false
    }

    /// Longer than a reservation lives, in ms.
    private static let horizon = 16_384

    private let options: Options
    private let share: Double
    private var random: SeededRandom
    private var workers: [Worker]
    /// What a dispatcher that looks now sees of each worker.
    private var used: [Double]
    private var wheel: [[Event]]
    private var now: Int64 = 0
    private var arrived = 0
    private var pending = 0
    private var result = Result()

    private init(_ options: Options) {
        self.options = options
        random = SeededRandom(seed: options.seed)
        share = PlacementPolicy.reserve(workers: options.workers)
        workers = (0..<options.workers).map { _ in Worker(model: ReservationModel(capacity: options.capacity)) }
        used = Array(repeating: 0, count: options.workers)
        wheel = Array(repeating: [], count: Self.horizon)
    }

    /// Runs until all sessions have been placed or refused.
    package static func run(_ options: Options = Options()) -> Result {
        var simulation = PlacementSimulation(options)
        while simulation.arrived < options.placements || simulation.pending > 0 { simulation.step() }
        return simulation.result
    }

    /// One millisecond.
    private mutating func step() {
        now += 1
        let slot = Int(now) % Self.horizon
        let events = wheel[slot]
        wheel[slot] = []
        for event in events { handle(event) }
        let wave = now / 1_000 % 2 == 0 ? options.arrivals * 2 : options.arrivals
        for _ in 0..<Int.random(in: 0...wave, using: &random) where arrived < options.placements { arrive() }
        for index in workers.indices where workers[index].hasChanged { sendBeat(index) }
        if now % 100 == 0 { sample() }
    }

    private mutating func after(_ milliseconds: ClosedRange<Int>, _ event: Event) {
        let delay = Int.random(in: milliseconds, using: &random)
        wheel[(Int(now) + delay) % Self.horizon].append(event)
    }

    private mutating func percent(_ share: Int) -> Bool { Int.random(in: 0..<100, using: &random) < share }

    /// A dispatcher looks at the workers as Redis knows them; what it asks them comes later.
    private mutating func arrive() {
        arrived += 1
        pending += 1
        let weight = percent(options.heavyPercent) ? 20.0 : 1.0
        let purpose: PlacementRequest.Purpose = percent(options.takeoverPercent) ? .takeover : .new
        let share = purpose == .new ? share : 0
        let candidates = used.indices.filter {
            PlacementPolicy.fits(weight, used: used[$0], capacity: options.capacity, reserve: share)
        }
        let order = PlacementOrder(candidates.map { used[$0] / options.capacity }, using: &random)
        let attempt = Attempt(
            reservation: arrived, weight: weight, purpose: purpose, candidates: candidates, order: order)
        after(1...3, .ask(attempt))
    }

    private mutating func handle(_ event: Event) {
        switch event {
        case .ask(let attempt): ask(attempt)
        case .attach(let index, let reservation, let weight):
            workers[index].promised -= weight
            workers[index].load += weight
            workers[index].unconfirmed.append(reservation)
            workers[index].hasChanged = true
            after(1...400, .end(worker: index, weight: weight))
        case .lapse(let index, let weight): workers[index].promised -= weight
        case .end(let index, let weight):
            workers[index].load -= weight
            workers[index].hasChanged = true
        case .beat(let index, let load, let used, let sequence):
            workers[index].model.beat(load: load, usedReservations: used, sequence: sequence)
            self.used[index] = workers[index].model.used
            workers[index].unconfirmed.removeAll { used.contains($0) }
        }
    }

    private mutating func ask(_ attempt: Attempt) {
        var attempt = attempt
        guard let choice = attempt.order.next() else {
            pending -= 1
            result.refused += 1
            return
        }
        let index = attempt.candidates[choice]
        result.asked += 1
        let answer = workers[index].model.reserve(
            attempt.reservation, weight: attempt.weight, share: attempt.purpose == .new ? share : 0,
            purpose: attempt.purpose, now: now)
        used[index] = workers[index].model.used
        if answer == .ok { placed(attempt, on: index) } else { after(1...3, .ask(attempt)) }
    }

    private mutating func placed(_ attempt: Attempt, on index: Int) {
        pending -= 1
        result.placed += 1
        workers[index].promised += attempt.weight
        let taken = (workers[index].load + workers[index].promised) / options.capacity
        result.highest = max(result.highest, taken)
        if attempt.purpose == .new { result.highestAfterNew = max(result.highestAfterNew, taken) }
        if taken > 1 + 1e-6 { result.overbooked += 1 }
        if Int.random(in: 0..<1_000, using: &random) == 0 {
            let life = Int(WorkerRegistry.reservationMilliseconds)
            after(life...life, .lapse(worker: index, weight: attempt.weight))
        } else {
            after(1...100, .attach(worker: index, reservation: attempt.reservation, weight: attempt.weight))
        }
    }

    /// Beats are under way for up to 40 ms and overtake each other.
    private mutating func sendBeat(_ index: Int) {
        workers[index].hasChanged = false
        workers[index].sequence += 1
        let worker = workers[index]
        after(1...40, .beat(worker: index, load: worker.load, used: worker.unconfirmed, sequence: worker.sequence))
    }

    private mutating func sample() {
        let loads = workers.map { $0.load / options.capacity }
        let mean = loads.reduce(0, +) / Double(loads.count)
        result.excess += (loads.max() ?? 0) - mean
        result.samples += 1
    }
}
