import Foundation
import Placement
import PlacementSimulation
import RedisClient
import Resilience
import TestDatabases
import Testing

/// Against a real Redis.
@Suite(.enabled(if: TestRedis.isAvailable, "PARLEY_TEST_REDIS_URL is not set"))
struct WorkerRegistryTests {
    private let prefix = "test:\(UUID().uuidString)"

    /// Clients of their own connections, as dispatchers have.
    private func with<Result: Sendable>(
        clients count: Int = 1, _ body: ([WorkerRegistry], RedisClient) async throws -> Result
    ) async throws -> Result {
        try await TestRedis.with(clients: count) { clients in
            try await body(clients.map { WorkerRegistry(redis: $0, prefix: prefix) }, clients[0])
        }
    }

    private func beat(
        _ id: String, capacity: Double = 10, load: Double = 0, draining: Bool = false, labels: Set<String> = []
    ) -> WorkerBeat {
        WorkerBeat(
            id: id, host: "h", port: 7, capacity: capacity, load: load, measuredLoad: 0.25, sessions: 0,
            draining: draining, version: "1", region: "eu1", labels: labels)
    }

    @Test func whatAWorkerSaysOfItselfIsKnown() async throws {
        try await with { (registries, _) async throws in
            try await registries[0].beat(beat("w", load: 2, labels: ["gpu", "large"]))
            #expect(try await registries[0].reserve("r", weight: 3, on: "w", reserve: 0) == .ok)
            let worker = try #require(try await registries[0].workers().first)
            #expect(worker.used == 5)
            #expect(worker.pressure == 0.5)
            #expect(worker.region == "eu1")
            #expect(worker.labels == ["gpu", "large"])
            try await registries[0].cancel("r", on: "w")
            #expect(try await registries[0].workers().first?.pressure == 0.25)
            try await registries[0].leave("w")
            #expect(try await registries[0].workers().isEmpty)
        }
    }

    @Test func aStampedeThroughSeveralDispatchersNeverOverbooks() async throws {
        try await with(clients: 4) { (registries, _) async throws in
            for worker in 0..<5 { try await registries[0].beat(beat("w-\(worker)", capacity: 50)) }
            let placers = registries.map { WorkerPlacer($0) }
            let places = try await withThrowingTaskGroup(of: String?.self) { group in
                for index in 0..<300 {
                    group.addTask {
                        let outcome = try await placers[index % 4].place(.init(weight: index % 3 == 0 ? 2 : 1))
                        if case .placed(let worker, _) = outcome { return worker.id }
                        return nil
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let workers = try await registries[0].workers()
            // A fifth of each is left for takeovers.
            #expect(workers.allSatisfy { $0.used <= 40 })
            #expect(workers.reduce(0) { $0 + $1.used } > 195)
            #expect(places.count { $0 == nil } > 0)
            // Takeovers use what is left, and no more. A worker that says nothing for 5 s would be gone.
            for worker in 0..<5 { try await registries[0].beat(beat("w-\(worker)", capacity: 50)) }
            for _ in 0..<100 { _ = try await placers[0].place(.init(purpose: .takeover)) }
            let after = try await registries[0].workers()
            #expect(after.allSatisfy { $0.used == 50 })
            #expect(try await placers[0].place(.init(purpose: .takeover)) == .full)
        }
    }

    @Test func takeoversComeTwentyAtATime() async throws {
        try await with { (registries, _) async throws in
            try await registries[0].beat(beat("w", capacity: 100))
            for index in 0..<WorkerRegistry.maximumTakeovers {
                #expect(
                    try await registries[0].reserve("t-\(index)", weight: 1, on: "w", reserve: 0, purpose: .takeover)
                        == .ok)
            }
            #expect(try await registries[0].reserve("t", weight: 1, on: "w", reserve: 0, purpose: .takeover) == .busy)
            #expect(try await registries[0].reserve("n", weight: 1, on: "w", reserve: 0.1) == .ok)
            // One has arrived.
            var arrived = beat("w", capacity: 100, load: 1)
            arrived.usedReservations = ["t-0"]
            try await registries[0].beat(arrived)
            #expect(try await registries[0].reserve("t", weight: 1, on: "w", reserve: 0, purpose: .takeover) == .ok)
        }
    }

    @Test func drainingAndMissingWorkersAreToldApart() async throws {
        try await with { (registries, _) async throws in
            try await registries[0].beat(beat("w", draining: true))
            #expect(try await registries[0].reserve("r", weight: 1, on: "w", reserve: 0) == .draining)
            #expect(try await registries[0].reserve("r", weight: 1, on: "nobody", reserve: 0) == .gone)
            #expect(try await WorkerPlacer(registries[0]).place(.init()) == .nobody)
        }
    }

    @Test func aBeatThatComesLateHidesNoSession() async throws {
        try await with { (registries, _) async throws in
            var old = beat("w")
            (old.incarnation, old.sequence) = ("a", 1)
            var new = beat("w", load: 6)
            (new.incarnation, new.sequence, new.usedReservations) = ("a", 2, ["r"])
            #expect(try await registries[0].beat(old))
            #expect(try await registries[0].reserve("r", weight: 6, on: "w", reserve: 0) == .ok)
            #expect(try await registries[0].beat(new))
            #expect(try await !registries[0].beat(old))
            #expect(try await registries[0].workers().first?.used == 6)
            // A worker that was started again begins anew.
            old.incarnation = "b"
            #expect(try await registries[0].beat(old))
            #expect(try await registries[0].workers().first?.used == 0)
        }
    }

    @Test func anUnconfirmedReservationIsToldAgain() async throws {
        try await with { (registries, redis) async throws in
            let announcer = try WorkerAnnouncer(registries[0])
            try await announcer.send { beat("w") }
            #expect(try await registries[0].reserve("r", weight: 6, on: "w", reserve: 0) == .ok)
            // Redis takes no beat for a moment: the key is of another type.
            let key = RedisArgument.string("\(prefix):worker:w")
            _ = try await redis.pipeline([
                RedisCommand("RENAME", key, "\(prefix):aside"), RedisCommand("SET", key, "x"),
            ])
            await #expect(throws: (any Error).self) {
                try await announcer.send {
                    var used = beat("w", load: 6)
                    used.usedReservations = ["r"]
                    return used
                }
            }
            _ = try await redis.pipeline([RedisCommand("DEL", key), RedisCommand("RENAME", "\(prefix):aside", key)])
            try await announcer.send { beat("w", load: 6) }
            #expect(try await registries[0].workers().first?.used == 6)
        }
    }

    /// The model that the simulation uses answers as the script does.
    @Test func theModelDoesWhatTheScriptsDo() async throws {
        try await with { (registries, _) async throws in
            var random = SeededRandom(seed: 42)
            var model = ReservationModel(capacity: 60)
            try await registries[0].beat(beat("w", capacity: 60))
            var load = 0.0
            var open: [Int: Double] = [:]
            for step in 1...1_500 {
                switch Int.random(in: 0..<10, using: &random) {
                case 0..<6:
                    let weight = Double(Int.random(in: 1...8, using: &random))
                    let isTakeover = Bool.random(using: &random)
                    let share = isTakeover ? 0 : 0.25
                    let answer = try await registries[0].reserve(
                        "\(step)", weight: weight, on: "w", reserve: share, purpose: isTakeover ? .takeover : .new)
                    let expected = model.reserve(
                        step, weight: weight, share: share, purpose: isTakeover ? .takeover : .new, now: 0)
                    #expect(answer == expected)
                    if answer == .ok { open[step] = weight }
                case 6, 7:
                    let used = open.keys.sorted().prefix(Int.random(in: 0...4, using: &random))
                    for reservation in used { load += open.removeValue(forKey: reservation) ?? 0 }
                    if load > 20 { load -= Double(Int.random(in: 0...20, using: &random)) }
                    model.isDraining = Int.random(in: 0..<8, using: &random) == 0
                    var next = beat("w", capacity: 60, load: load, draining: model.isDraining)
                    next.usedReservations = used.map(String.init)
                    try await registries[0].beat(next)
                    model.beat(load: load, usedReservations: Array(used), sequence: Int64(step))
                case 8:
                    if let reservation = open.keys.min() {
                        open[reservation] = nil
                        try await registries[0].cancel("\(reservation)", on: "w")
                        model.cancel(reservation)
                    }
                default:
                    #expect(try await registries[0].workers().first?.used == model.used)
                }
            }
        }
    }
}
