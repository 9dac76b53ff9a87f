import DispatcherService
import Placement
import Resilience
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct WaitingRoomTests {
    private let clock = ManualClock()
    private let workers = FakeWorkers()
    private let positions = Positions()

    /// Tests move the clock without waiting for those who wait.
    private func room(places: Int = 10, patience: Duration = .seconds(1_000_000)) -> WaitingRoom {
        WaitingRoom(.init(places: places, patience: patience), clock: clock)
    }

    private func wait(_ room: WaitingRoom, _ name: String, _ request: PlacementRequest = .init()) async throws
        -> WorkerPlace
    {
        try await room.place(request, by: workers) { positions.add(name, $0) }
    }

    /// Goes on when `condition` holds, without a clock.
    private func until(_ condition: () -> Bool) async {
        while !condition() { await Task.yield() }
    }

    @Test func nobodyWaitsWhileThereIsRoom() async throws {
        _ = try await wait(room(), "a")
        #expect(positions.of("a").isEmpty)
    }

    @Test func callersWaitInLineAndAreToldTheirPosition() async throws {
        let room = room()
        workers.setRoom(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, name) in ["a", "b", "c"].enumerated() {
                group.addTask { _ = try await wait(room, name) }
                await until { positions.of(name) == [index + 1] }
                // The first one asks, the others wait for their turn.
                try await clock.waitForSleepers(1)
            }
            await until { workers.asked.count >= 2 }
            workers.setRoom(1)
            clock.advance(by: .milliseconds(200))
            await until { room.count == 2 }
            await until { positions.of("b") == [2, 1] && positions.of("c") == [3, 2] }
            workers.setRoom(2)
            await until {
                clock.advance(by: .milliseconds(200)); return room.count == 0
            }
            try await group.waitForAll()
        }
        #expect(positions.of("c") == [3, 2, 1])
        #expect(positions.of("a") == [1])
    }

    @Test func aNewcomerDoesNotOvertakeThoseWhoWait() async throws {
        let room = room()
        workers.setRoom(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await wait(room, "a") }
            await until { positions.of("a") == [1] }
            try await clock.waitForSleepers()
            workers.setRoom(1)
            group.addTask { _ = try await wait(room, "b") }
            await until { positions.of("b") == [2] }
            await until {
                clock.advance(by: .milliseconds(200)); return room.count == 1
            }
            await until { positions.of("b") == [2, 1] }
            workers.setRoom(1)
            await until {
                clock.advance(by: .milliseconds(200)); return room.count == 0
            }
            try await group.waitForAll()
        }
    }

    @Test func whoWaitedInVainIsRefused() async throws {
        let room = room(patience: .seconds(20))
        workers.setRoom(0)
        async let failure = #expect(throws: AdmissionError.self) { _ = try await wait(room, "a") }
        await until { positions.of("a") == [1] }
        await until {
            clock.advance(by: .milliseconds(200)); return room.count == 0
        }
        let error = try #require(await failure)
        #expect(error.code == .full)
        #expect(error.message.contains("within 20 s"))
        #expect(clock.elapsed >= .seconds(19))
    }

    @Test func moreThanTheRoomHoldsAreRefusedAtOnce() async throws {
        let room = room(places: 1)
        workers.setRoom(0)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = try? await wait(room, "a") }
            await until { positions.of("a") == [1] }
            let error = await #expect(throws: AdmissionError.self) { _ = try await wait(room, "b") }
            #expect(error?.message.contains("1 callers wait already") == true)
            group.cancelAll()
        }
    }

    @Test func aCallerThatLeavesMakesTheOthersMoveUp() async throws {
        let room = room()
        workers.setRoom(0)
        await withTaskGroup(of: Void.self) { group in
            let first = Task { _ = try await wait(room, "a") }
            await until { positions.of("a") == [1] }
            group.addTask { _ = try? await wait(room, "b") }
            await until { positions.of("b") == [2] }
            first.cancel()
            await until { positions.of("b") == [2, 1] }
            group.cancelAll()
        }
        #expect(room.count == 0)
    }

    @Test func whoNeedsSpecialWorkersHoldsUpNobody() async throws {
        let room = room()
        workers.setRoom(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try? await wait(room, "gpu", .init(labels: ["gpu"])) }
            await until { positions.of("gpu") == [1] }
            try await clock.waitForSleepers()
            workers.setRoom(1)
            _ = try await wait(room, "a")
            #expect(positions.of("a").isEmpty)
            group.cancelAll()
        }
    }

    @Test func otherTroublesAreNotWaitedFor() async throws {
        workers.fail(with: AdmissionError(.unavailable, "no media worker is running"))
        let error = await #expect(throws: AdmissionError.self) { _ = try await wait(room(), "a") }
        #expect(error?.code == .unavailable)
    }
}

/// What callers were told.
private final class Positions: Sendable {
    private let told = Mutex<[String: [Int]]>([:])

    func add(_ name: String, _ position: Int) { told.withLock { $0[name, default: []].append(position) } }
    func of(_ name: String) -> [Int] { told.withLock { $0[name] ?? [] } }
}
