import Audio
import Foundation
import Logging
import NIOCore
import NIOPosix
import RedisClient
import SessionLog
import SwiftProtobuf
import Synchronization
import Telemetry
import Testing

@testable import SessionStoreService

/// Owners over a Redis that dies, loses its tail, is replaced by a replica that lagged, or does not answer: a real one for each test.
@Suite(.enabled(if: StoreFixture.isRedisThere, "PARLEY_TEST_REDIS_URL is not set"), .timeLimit(.minutes(1)))
struct OutageTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.any()

    private func own(_ store: StoreFixture, _ stream: OwnerStream, _ heard: Notices = Notices()) async throws
        -> OwnedSession
    {
        stream.own(tenant: store.tenant, claim: try await store.owned(), eventLoop: loop, notify: heard.notify)
    }

    private func withStore(_ body: (RedisServer, StoreFixture) async throws -> Void) async throws {
        try await RedisServer.with { servers in
            try await StoreFixture.with(redis: servers[0].url) { (store) async throws in
                try await body(servers[0], store)
            }
        }
    }

    private func texts(_ store: StoreFixture, _ session: String) async throws -> [String] {
        SessionState(try await store.events(of: session)).userTurns.map(\.text)
    }

    /// Waits until the log has these turns, and the archive every event of the log.
    private func expect(_ turns: [String], _ store: StoreFixture, _ session: String) async throws {
        try await store.eventually { (try? await texts(store, session)) == turns }
        let log = try await store.events(of: session).map(\.id)
        #expect(Set(try await store.archived(session).map(\.id)).isSuperset(of: log))
        #expect(log == log.sorted())
    }

    // MARK: The tail of the disk

    @Test func `what Redis lost comes back, though nobody says anything more`() async throws {
        try await withStore { redis, store in
            try await store.withStream { (stream) async throws in
                let session = try await own(store, stream)
                #expect(await session.outcome(of: session.say("0")) == .stored)
                let point = try redis.written
                for index in 1...5 { session.say("\(index)") }
                #expect(await session.outcome(of: 7) == .stored)
                try await redis.loseTail(after: point)
                try await expect((0...5).map(String.init), store, session.session)
            }
        }
    }

    @Test func `a session that was opened in the lost second goes on`() async throws {
        try await withStore { redis, store in
            try await store.withStream { (stream) async throws in
                let point = try redis.written
                let session = try await own(store, stream)
                session.say("0")
                #expect(await session.outcome(of: session.say("1")) == .stored)
                try await redis.loseTail(after: point)
                try await expect(["0", "1"], store, session.session)
                #expect(await session.outcome(of: session.say("2")) == .stored)
                try await store.eventually {
                    try await !store.client.load(tenant: store.tenant, session: session.session).header.ownerAddress
                        .isEmpty
                }
                let header = try await store.client.load(tenant: store.tenant, session: session.session).header
                #expect(
                    (header.fence, header.owner, header.agentHash, header.backend) == (
                        session.fence, store.worker, "abc", "pipecat"
                    ))
                let state = SessionState(try await store.events(of: session.session))
                #expect(state.opened?.agent == "lead-qualification")
                #expect(state.userTurns.map(\.text) == ["0", "1", "2"])
            }
        }
    }

    @Test func `a session that was closed in the lost second is closed again`() async throws {
        try await withStore { redis, store in
            try await store.withStream { (stream) async throws in
                let early = try await own(store, stream)
                #expect(await early.outcome(of: early.say("0")) == .stored)
                let point = try redis.written
                let late = try await own(store, stream)
                for session in [early, late] {
                    session.say("bye")
                    let last = session.append(.closed(.with { $0.reason = "hang_up" }), position: .zero, leg: 0)
                        .sequence
                    session.close()
                    #expect(await session.outcome(of: last) == .stored)
                }
                #expect(stream.sessionCount == 0)
                try await redis.loseTail(after: point)
                for (session, turns) in [(early, ["0", "bye"]), (late, ["bye"])] {
                    try await expect(turns, store, session.session)
                    try await store.eventually {
                        try await store.client.load(tenant: store.tenant, session: session.session).header.status
                            == "closed"
                    }
                }
            }
        }
    }

    @Test func `a claim that Redis lost stands, and no new fence is below a lost one`() async throws {
        try await withStore { redis, store in
            let first = try await store.owned()
            let point = try redis.written
            try await store.withWorker("second") { second in
                let heard = Notices()
                let claim = try await store.claim(first.header.session, seen: first.fence, worker: "second")
                let session = second.own(tenant: store.tenant, claim: claim, eventLoop: loop, notify: heard.notify)
                #expect(await session.outcome(of: session.say("0")) == .stored)
                try await redis.loseTail(after: point)
                try await expect(["0"], store, session.session)
                let header = try await store.client.load(tenant: store.tenant, session: session.session).header
                #expect((header.fence, header.owner) == (claim.fence, "second"))
                #expect(try await store.claim(session.session, seen: claim.fence, worker: "third").fence > claim.fence)
                guard case .lost = await heard.next() else {
                    throw SessionLogError(.lost, message: "no notice of the loss")
                }
            }
        }
    }

    @Test func `of two workers that both hold a claim after a failover one is left`() async throws {
        try await withStore { redis, store in
            let first = try await store.owned()
            let session = first.header.session
            let point = try redis.written
            let lostClaim = try await store.claim(session, seen: first.fence, worker: "second")
            try await redis.loseTail(after: point)
            // Redis knows nothing of the second worker: the third may claim as well.
            try await store.eventually { (try? await store.client.load(tenant: store.tenant, session: session)) != nil }
            let newClaim = try await store.claim(session, seen: first.fence, worker: "third")
            #expect(newClaim.fence > lostClaim.fence)
            try await store.withWorker("second") { second in
                try await store.withWorker("third") { third in
                    let (heardBySecond, heardByThird) = (Notices(), Notices())
                    let one = second.own(
                        tenant: store.tenant, claim: lostClaim, eventLoop: loop, notify: heardBySecond.notify)
                    let other = third.own(
                        tenant: store.tenant, claim: newClaim, eventLoop: loop, notify: heardByThird.notify)
                    let (lost, stored) = (one.say("second"), other.say("third"))
                    #expect(await other.outcome(of: stored) == .stored)
                    #expect(await one.outcome(of: lost) == .lost)
                    guard case .lost = await heardBySecond.next() else {
                        throw SessionLogError(.lost, message: "no notice of the loss")
                    }
                    #expect(heardByThird.notices.withLock { $0.isEmpty })
                    try await expect(["third"], store, session)
                }
            }
        }
    }

    @Test func `a session that is too old to have been lost with a last second is not brought back`() async throws {
        try await RedisServer.with { servers in
            try await StoreFixture.with(redis: servers[0].url) {
                $0.restorableAge = 0
            } _: { (store) async throws in
                try await store.withStream { (stream) async throws in
                    let heard = Notices()
                    let session = try await own(store, stream, heard)
                    #expect(await session.outcome(of: session.say("0")) == .stored)
                    try await servers[0].send(RedisCommand("FLUSHALL"))
                    guard case .lost = await heard.next() else {
                        throw SessionLogError(.lost, message: "no notice of the loss")
                    }
                    #expect(
                        try await servers[0].send(
                            RedisCommand("EXISTS", .string(RedisKeys.session(SessionID(session.session))))
                        ).integer == 0)
                }
            }
        }
    }

    // MARK: Replicas

    @Test func `the promotion of a replica that lagged loses nothing that an owner still has`() async throws {
        try await RedisServer.with(2) { servers in
            let (primary, replica) = (servers[0], servers[1])
            try await StoreFixture.with(redis: primary.url) { (store) async throws in
                try await store.withStream { (stream) async throws in
                    let session = try await own(store, stream)
                    #expect(await session.outcome(of: session.say("0")) == .stored)
                    try await replica.follow(primary)
                    try await replica.leave()
                    let new = try await own(store, stream)
                    for session in [session, new] {
                        for index in 1...3 { session.say("\(index)") }
                        #expect(await session.outcome(of: session.say("4")) == .stored)
                    }
                    try await replica.takePlace(of: primary)
                    session.say("5")
                    try await expect((0...5).map(String.init), store, session.session)
                    try await expect((1...4).map(String.init), store, new.session)
                }
            }
        }
    }

    // MARK: Absence

    @Test func `while Redis is away events wait, and are there in order when it is back`() async throws {
        try await withStore { redis, store in
            try await store.withStream { (stream) async throws in
                let session = try await own(store, stream)
                #expect(await session.outcome(of: session.say("0")) == .stored)
                try await store.eventually { stream.isAvailable }
                await redis.kill()
                for index in 1...20 { session.say("\(index)") }
                try await store.eventually { !stream.isAvailable }
                for index in 21...40 { session.say("\(index)") }
                try await redis.start()
                try await expect((0...40).map(String.init), store, session.session)
                try await store.eventually { stream.isAvailable }
            }
        }
    }

    @Test func `a Redis that stood still stores once what was sent to it before and after`() async throws {
        try await withStore { redis, store in
            try await store.withStream { (stream) async throws in
                let session = try await own(store, stream)
                #expect(await session.outcome(of: session.say("0")) == .stored)
                try await store.eventually { stream.isAvailable }
                redis.pause()
                for index in 1...20 { session.say("\(index)") }
                try await store.eventually { !stream.isAvailable }
                for index in 21...40 { session.say("\(index)") }
                redis.resume()
                try await expect((0...40).map(String.init), store, session.session)
            }
        }
    }

    @Test func `after an absence, and in a store that has just begun, leases say nothing for two lease periods`() {
        let condition = RedisCondition(settings: StoreSettings(), metrics: StoreMetrics(.init()))
        func answer(_ run: String, now: Int64) {
            condition.answered(server: "run_id:\(run)\r\n", memory: "", replication: "", now: now)
        }
        #expect(!condition.isSettled(now: 100_000))
        answer("a", now: 100_000)
        #expect(!condition.isSettled(now: 105_999))
        #expect(condition.isSettled(now: 106_000))
        condition.wentAway()
        answer("a", now: 200_000)
        answer("a", now: 201_000)
        #expect(!condition.isSettled(now: 205_999))
        #expect(condition.isSettled(now: 206_000))
        // Another run id: a replica was promoted, or it was restarted between two looks.
        answer("b", now: 300_000)
        #expect(!condition.isSettled(now: 305_999))
        #expect(condition.isSettled(now: 306_000))
    }

    @Test(arguments: [3_600_000, -3_600_000] as [Int64])
    func `after a step of Redis's clock leases say nothing for two lease periods`(step: Int64) {
        let condition = RedisCondition(settings: StoreSettings(), metrics: StoreMetrics(.init()))
        for second in 0...20 as ClosedRange<Int64> {
            let microseconds = (second * 1000 + (second < 10 ? 0 : step) + 10_000_000) * 1000
            condition.answered(
                server: "run_id:a\r\nserver_time_usec:\(microseconds)\r\n", memory: "", replication: "",
                now: second * 1000)
            #expect(condition.isSettled(now: second * 1000) == (6...9).contains(second) || second >= 16)
        }
        // Whoever asks for orphans may be the first to see it.
        condition.saw(time: 50_000_000, now: 20_100)
        #expect(!condition.isSettled(now: 26_099))
    }

    // MARK: Memory

    @Test
    func `above 60 percent of memory telemetry is refused, above 75 no session is opened, turns are always taken`()
        async throws
    {
        try await withStore { redis, store in
            try await store.withStream { (stream) async throws in
                let session = try await own(store, stream)
                try await use(0.65, of: redis)
                try await store.eventually { (store.metrics.value("parley_store_redis_memory_ratio") ?? 0) > 0.6 }
                let usage = session.append(.usage(.with { $0.kind = "llm" }), position: .zero, leg: 0).sequence
                let turn = session.say("0")
                #expect(await session.outcome(of: turn) == .stored)
                #expect(await session.outcome(of: usage) == .dropped)
                let another = try await own(store, stream)
                try await use(0.80, of: redis)
                try await store.eventually { (store.metrics.value("parley_store_redis_memory_ratio") ?? 0) > 0.75 }
                let error = await #expect(throws: SessionLogError.self) { try await store.open() }
                #expect(error?.code == .full)
                #expect(await another.outcome(of: another.say("0")) == .stored)
                #expect(try await store.claim(session.session, seen: session.fence, worker: "other").events.count == 2)
            }
        }
    }

    /// Sets Redis's limit so that what it uses is that share.
    private func use(_ share: Double, of redis: RedisServer) async throws {
        let info = try await redis.send(RedisCommand("INFO", "memory")).string ?? ""
        let used =
            info.split(whereSeparator: \.isNewline).first { $0.hasPrefix("used_memory:") }.flatMap {
                Double($0.dropFirst(12))
            } ?? 0
        _ = try await redis.send(
            RedisCommand("CONFIG", "SET", "maxmemory", .integer(Int(used / share)), "maxmemory-policy", "noeviction"))
    }

    // MARK: Paused owners

    @Test func `an owner that was paused while another one claimed gets nothing in and gives the session up`()
        async throws
    {
        try await StoreFixture.with { (store) async throws in
            let claim = try await store.owned()
            let (paused, heard) = (Notices(), Notices())
            // Its stream does not run: as a process that is stopped.
            let stopped = OwnerStream(
                client: store.client, worker: .init(id: store.worker, address: "a:1", version: "test"),
                logger: .init(label: "test"))
            let old = stopped.own(tenant: store.tenant, claim: claim, eventLoop: loop, notify: paused.notify)
            let late = old.say("late")
            try await store.withWorker("other") { other in
                let session = claim.header.session
                let new = other.own(
                    tenant: store.tenant, claim: try await store.claim(session, seen: claim.fence, worker: "other"),
                    eventLoop: loop,
                    notify: heard.notify)
                #expect(await new.outcome(of: new.say("new")) == .stored)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await stopped.run() }
                    #expect(await old.outcome(of: late) == .lost)
                    guard case .lost = await paused.next() else {
                        throw SessionLogError(.lost, message: "no notice of the loss")
                    }
                    #expect(await old.outcome(of: old.say("later")) == .lost)
                    group.cancelAll()
                }
                #expect(stopped.sessionCount == 0)
                #expect(await new.outcome(of: new.say("on")) == .stored)
                try await expect(["new", "on"], store, session)
                let header = try await store.client.load(tenant: store.tenant, session: session).header
                #expect((header.fence, header.owner) == (new.fence, "other"))
                #expect(heard.notices.withLock { $0.isEmpty })
            }
        }
    }
}
