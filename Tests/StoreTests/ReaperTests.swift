import Foundation
import Logging
import RedisClient
import SessionLog
import SwiftProtobuf
import Synchronization
import Telemetry
import Testing

@testable import DispatcherService
@testable import SessionStoreService

/// The dispatchers' reaper against a real store. Orphans of other tests may be there too: each test looks at its own sessions.
@Suite(
    .enabled(if: StoreFixture.isRedisThere, "PARLEY_TEST_REDIS_URL is not set"), .timeLimit(.minutes(1)), .serialized)
struct ReaperTests {
    private func reaper(
        _ store: StoreFixture, isAttached: @escaping @Sendable (String, String) async throws -> Bool = { _, _ in false },
        abandoned: @escaping @Sendable (Opened) -> Void = { Issue.record("\($0.agent) is said to be abandoned") }
    ) -> Reaper {
        var settings = Reaper.Settings()
        settings.reconnectWindow = .zero
        settings.margin = .zero
        settings.closesPerRound = 1000
        // Only this test's tenant: the Redis is shared with other tests.
        return Reaper(
            store: store.client, settings: settings,
            isAttached: { session, tenant in
                if tenant != store.tenant { return true }
                return try await isAttached(session, tenant)
            },
            abandoned: abandoned, metrics: MetricsRegistry(), logger: Logger(label: "test"))
    }

    private func withStore(_ body: (StoreFixture) async throws -> Void) async throws {
        try await StoreFixture.with {
            $0.settlingLeases = 0
        } _: { (store) async throws in
            try await body(store)
        }
    }

    /// A session whose owner died after these events.
    private func orphan(_ store: StoreFixture, _ bodies: [Event.OneOf_Body]) async throws -> StoreClaimReply {
        let claim = try await store.owned()
        let events = try bodies.enumerated().map { try store.event(claim, UInt64($0.offset) + 2, $0.element) }
        if !events.isEmpty {
            #expect(
                try await store.append(claim.header.session, fence: claim.fence, first: 2, events).outcome == .stored)
        }
        try await store.endLease(of: claim.header.session)
        return claim
    }

    private func header(_ store: StoreFixture, _ session: String) async throws -> StoreHeader {
        try await store.client.load(tenant: store.tenant, session: session).header
    }

    @Test func `what nobody owns is closed with everything that was open, and archived`() async throws {
        try await withStore { store in
            let claim = try await orphan(
                store,
                [
                    .claimed(.with { $0.worker = store.worker }), .attached(.with { $0.attachment = "a" }),
                    .toolCalled(.with { $0.call = "1" }), .replyStarted(.with { $0.reply = 1 }),
                ])
            let abandoned = Mutex<[Opened]>([])
            let reaper = reaper(store, abandoned: { opened in abandoned.withLock { $0.append(opened) } })
            #expect(await reaper.round().contains(.closed(reason: "lost")))
            #expect(abandoned.withLock { $0.map(\.tenant) } == [store.tenant])
            let session = claim.header.session
            let events = try await store.events(of: session)
            let state = SessionState(events)
            #expect(state.closed?.by == "reaper")
            #expect(state.owner == reaper.worker)
            #expect(state.pendingToolCalls.isEmpty)
            #expect(state.openReply == nil)
            #expect(try await header(store, session).status == "closed")
            #expect(try await store.archived(session).map(\.sequence) == events.map(\.sequence))
        }
    }

    @Test func `a session that was never claimed is closed too`() async throws {
        try await withStore { store in
            let session = try await store.open().session
            try await store.endLease(of: session)
            await reaper(store, abandoned: { _ in }).round()
            #expect(SessionState(try await store.events(of: session)).closed?.detail == "gone before the session began")
        }
    }

    @Test func `owned sessions and those whose caller is connected, or may be, are left alone`() async throws {
        try await withStore { store in
            let owned = try await store.owned()
            let attached = try await orphan(store, [])
            #expect(await reaper(store, isAttached: { _, _ in true }).round().contains(.attached))
            #expect(await reaper(store, isAttached: { _, _ in throw CancellationError() }).round().contains(.failed))
            for claim in [owned, attached] {
                #expect(try await header(store, claim.header.session).fence == claim.fence)
                #expect(try await store.events(of: claim.header.session).count == 1)
            }
        }
    }

    @Test func `of a log with newer events nothing is changed`() async throws {
        try await withStore { store in
            let claim = try await store.owned()
            let newer = try Event.with {
                $0.fence = claim.fence
                $0.sequence = 2
                $0.version = Event.currentVersion + 1
                $0.body = .dtmf(.init())
            }.stored()
            _ = try await store.append(claim.header.session, fence: claim.fence, first: 2, [newer])
            try await store.endLease(of: claim.header.session)
            #expect(await reaper(store).round().contains(.newer))
            #expect(try await header(store, claim.header.session).fence == claim.fence)
        }
    }

    @Test func `a claim lost to a worker changes nothing`() async throws {
        try await withStore { store in
            let claim = try await orphan(store, [])
            let session = claim.header.session
            // A worker takes over between the reaper's look and its claim.
            let worker = Mutex<StoreClaimReply?>(nil)
            let reaper = reaper(store) { _, _ in
                let taken = try await store.claim(session, seen: claim.fence, worker: "other")
                worker.withLock { $0 = taken }
                return false
            }
            #expect(await reaper.round().contains(.taken))
            let taken = try #require(worker.withLock { $0 })
            #expect(try await header(store, session).fence == taken.fence)
            #expect(try await header(store, session).owner == "other")
            #expect(try await store.events(of: session).count == 1)
        }
    }

    @Test func `two reapers at once close a session once`() async throws {
        try await withStore { store in
            var sessions: [String] = []
            for _ in 0..<20 { sessions.append(try await orphan(store, []).header.session) }
            let reapers = [reaper(store, abandoned: { _ in }), reaper(store, abandoned: { _ in })]
            await withTaskGroup(of: Void.self) { group in
                for reaper in reapers { group.addTask { await reaper.round() } }
            }
            for session in sessions {
                let closed = try await store.events(of: session).filter {
                    $0.body.map { if case .closed = $0 { true } else { false } } ?? false
                }
                #expect(closed.count == 1)
                #expect(try await header(store, session).status == "closed")
            }
        }
    }

    @Test func `after an outage of Redis nothing is closed until leases mean something again`() async throws {
        // A store that has just begun does not know whether Redis was away.
        try await StoreFixture.with { $0.settlingLeases = 1_000 } _: { (store) async throws in
            let claim = try await orphan(store, [])
            #expect(try await store.client.orphans(limit: 1000, minimumAge: .zero).settled == false)
            #expect(await reaper(store).round().isEmpty)
            #expect(try await header(store, claim.header.session).status == "open")
        }
    }
}
