import BackendKit
import Logging
import NIOPosix
import RateLimits
import RelayLink
import Synchronization
import Telemetry
import Testing

@testable import DispatcherService

/// Sessions in rooms from the wish for one until a worker has it.
@Suite(.timeLimit(.minutes(1))) struct RoomStartTests {
    private struct Run: Sendable {
        let core: DispatcherCore
        let worker: FakeWorker
        /// Ends that were told, with their problems.
        let ends: Ends

        func start() -> Task<String, any Error> {
            let call = RoomCall(tenant: "acme", agent: "tea", grant: RoomGrant(handshake: [1], description: "a room"))
            return Task { try await core.rooms.start(call, backend: "rooms", by: core) { ends.add($0) } }
        }
    }

    private final class Ends: Sendable {
        private let told = Mutex<[String?]>([])
        func add(_ problem: String?) { told.withLock { $0.append(problem) } }
        var all: [String?] { told.withLock { $0 } }
    }

    private func run(_ answer: FakeWorker.Answer, limits: CallerLimits? = nil, _ body: (Run) async throws -> Void) async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let worker = try await FakeWorker("w", answer)
        var cluster = Cluster()
        cluster.placing = FakeFleet(worker)
        cluster.limits = limits
        let core = DispatcherCore(
            admission: cluster.admission, backends: DispatcherBackends(), rooms: RoomKeepers(group: MultiThreadedEventLoopGroup.singleton),
            logger: logger, registry: MetricsRegistry())
        try await body(Run(core: core, worker: worker, ends: Ends()))
        try await worker.stop()
    }

    /// Goes on when `condition` holds, without a clock.
    private func until(_ condition: () -> Bool) async { while !condition() { await Task.yield() } }

    @Test func aSessionBeginsWhenAWorkerHasIt() async throws {
        try await run(.silence) { run in
            let start = run.start()
            await until { !run.worker.attaches.isEmpty }
            run.worker.send(.accepted(fence: 8))
            let session = try await start.value
            #expect(session == "s-1" && run.core.rooms.has(session))
            run.worker.send(.end(code: 1000, reason: "completed"))
            await until { run.ends.all == [nil] }
            #expect(run.core.rooms.count == 0)
        }
    }

    @Test func aSessionOfAnotherDispatcherHasItsPlaceAsLongAsItIsTakenCareOf() async throws {
        let store = FakeLimits()
        let plenty = RateLimit(perSecond: 100, burst: 100)
        let limits = CallerLimits.over(store, CallerLimitSettings(address: plenty, key: plenty, tenant: plenty, keySessions: 2, tenantSessions: 2))
        try await run(.accept(fence: 9), limits: limits) { run in
            let adoption = RelayAdoption(
                session: "s-7", tenant: "acme", backend: "rooms", fence: 8, attachment: "a", generation: 1, weight: 1, labels: [])
            let place = run.worker.place
            run.core.rooms.adopt(adoption, from: .init(id: place.worker, host: place.host, port: place.port), by: run.core)
            await until { store.held(of: .tenant("acme")) == ["s-7"] && !run.worker.attaches.isEmpty }
            run.worker.send(.end(code: 1000, reason: "completed"))
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await limits.run() }
                await until { store.held(of: .tenant("acme")).isEmpty }
                group.cancelAll()
            }
        }
    }

    @Test func aDispatcherThatEndsLetsSessionsGo() async throws {
        try await run(.accept(fence: 8)) { run in
            _ = try await run.start().value
            run.core.drain()
            await until { run.core.rooms.count == 0 }
            // They are not over, and nobody has hung up.
            #expect(run.ends.all.isEmpty && run.worker.detached.isEmpty)
        }
    }

    @Test func aDispatcherThatEndsStartsWhatIsOnItsWay() async throws {
        try await run(.silence) { run in
            let start = run.start()
            await until { !run.worker.attaches.isEmpty }
            run.core.drain()
            run.worker.send(.accepted(fence: 8))
            let session = try await start.value
            #expect(session == "s-1")
            await until { run.core.rooms.count == 0 }
            #expect(run.ends.all.isEmpty && run.worker.detached.isEmpty)
        }
    }

    @Test func aSessionThatNobodyWaitsForAnyLongerIsEnded() async throws {
        try await run(.silence) { run in
            let start = run.start()
            await until { !run.worker.attaches.isEmpty }
            start.cancel()
            await #expect(throws: CancellationError.self) { _ = try await start.value }
            run.worker.send(.accepted(fence: 8))
            await until { run.worker.detached == [true] }
        }
    }

    @Test func aSessionThatEndsBeforeItBeginsIsAnError() async throws {
        try await run(.silence) { run in
            let start = run.start()
            await until { !run.worker.attaches.isEmpty }
            run.worker.send(.end(code: 1011, reason: "failed"))
            let error = await #expect(throws: AdmissionError.self) { _ = try await start.value }
            #expect(error?.code == .workerLost && error?.message.contains("failed") == true)
            // Whoever waited for the start may try again; an end would end that too.
            #expect(run.core.rooms.count == 0 && run.ends.all.isEmpty)
        }
    }

    @Test func aWorkerThatRefusesIsNamedToWhoeverWaits() async throws {
        try await run(.refuse(.unknownAgent)) { run in
            let error = await #expect(throws: AdmissionError.self) { _ = try await run.start().value }
            #expect(error?.code == .unknownAgent)
            #expect(run.core.rooms.count == 0 && run.ends.all.isEmpty)
        }
    }
}
