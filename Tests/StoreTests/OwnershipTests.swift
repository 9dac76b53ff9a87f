import Foundation
import RedisClient
import SessionLog
import SwiftProtobuf
import Synchronization
import Testing

@testable import SessionStoreService

@Suite(.enabled(if: StoreFixture.isRedisThere, "PARLEY_TEST_REDIS_URL is not set"), .timeLimit(.minutes(1)))
struct OwnershipTests {
    @Test func `the same idempotency key opens one session`() async throws {
        try await StoreFixture.with { (store) async throws in
            let first = try await store.open(key: "k")
            let second = try await store.open(key: "k")
            let other = try await store.open(key: "l")
            #expect(first.session == second.session)
            #expect(!first.existed)
            #expect(second.existed)
            #expect(other.session != first.session)
            let events = try await store.events(of: first.session)
            #expect(events.count == 1)
            #expect(events.first?.opened.session == first.session)
            #expect(events.first?.opened.tenant == store.tenant)
        }
    }

    @Test func `of many claimants that saw the same fence one wins`() async throws {
        try await StoreFixture.with { (store) async throws in
            let opened = try await store.open()
            let wins = try await withThrowingTaskGroup(of: Bool.self) { group in
                for index in 0..<20 {
                    group.addTask {
                        do {
                            _ = try await store.claim(opened.session, seen: opened.fence, worker: "w\(index)")
                            return true
                        } catch let error as SessionLogError where error.code == .claimLost {
                            return false
                        }
                    }
                }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(wins == 1)
        }
    }

    @Test func `a new fence is above the stored one, the highest seen, and Redis's clock`() async throws {
        try await StoreFixture.with { (store) async throws in
            let first = try await store.owned()
            let time = try await store.redis.send(RedisCommand("TIME")).array?.first?.integer ?? 0
            #expect(first.fence > UInt64(time - 10) * 1000)
            let far = first.fence + 1_000_000_000
            let second = try await store.claim(first.header.session, seen: first.fence, highest: far)
            #expect(second.fence == far + 1)
            let third = try await store.claim(first.header.session, seen: second.fence)
            #expect(third.fence == far + 2)
            #expect(third.header.owner == store.worker)
        }
    }

    @Test func `a claimant that cannot fold the log is refused`() async throws {
        try await StoreFixture.with { (store) async throws in
            let claim = try await store.owned()
            let newer = try Event.with {
                $0.fence = claim.fence
                $0.sequence = 2
                $0.version = 99
                $0.body = .dtmf(.init())
            }.stored()
            let answer = try await store.append(claim.header.session, fence: claim.fence, first: 2, [newer])
            #expect(answer.outcome == .stored)
            let error = await #expect(throws: SessionLogError.self) {
                try await store.claim(claim.header.session, seen: claim.fence)
            }
            #expect(error?.code == .newerEvents)
        }
    }

    @Test func `an append with a stale fence is refused, one with a higher fence is adopted`() async throws {
        try await StoreFixture.with { (store) async throws in
            let old = try await store.owned()
            let session = old.header.session
            let new = try await store.claim(session, seen: old.fence, worker: "other")
            let stale = try await store.append(
                session, fence: old.fence, first: 2, [store.event(old, 2, .userTurn(.with { $0.text = "stale" }))])
            #expect(stale.outcome == .fenced)
            // As after a failover that lost the claim of `new.fence + 5`.
            let adopted = try await store.append(
                session, fence: new.fence + 5, first: 2,
                [store.event(new, 2, fence: new.fence + 5, .userTurn(.with { $0.text = "new" }))])
            #expect(adopted.outcome == .stored)
            let late = try await store.append(
                session, fence: new.fence, first: 3, [store.event(new, 3, .dtmf(.init()))])
            #expect(late.outcome == .fenced)
            #expect(try await store.client.load(tenant: store.tenant, session: session).header.fence == new.fence + 5)
            #expect(SessionState(try await store.events(of: session)).userTurns.map(\.text) == ["new"])
        }
    }

    @Test func `appending again stores nothing twice`() async throws {
        try await StoreFixture.with { (store) async throws in
            let claim = try await store.owned()
            let events = try (2...4).map { try store.event(claim, $0, .dtmf(.with { $0.digits = "1" })) }
            for _ in 0..<3 {
                let answer = try await store.append(claim.header.session, fence: claim.fence, first: 2, events)
                #expect(answer.outcome == .stored)
                #expect(answer.nextSequence == 5)
            }
            let overlapping = try await store.append(
                claim.header.session, fence: claim.fence, first: 4, [events[2], store.event(claim, 5, .dtmf(.init()))])
            #expect(overlapping.nextSequence == 6)
            #expect(try await store.events(of: claim.header.session).map(\.sequence) == [1, 2, 3, 4, 5])
        }
    }

    @Test func `another tenant sees and changes nothing`() async throws {
        try await StoreFixture.with { (store) async throws in
            let claim = try await store.owned()
            let session = claim.header.session
            for call: @Sendable () async throws -> Void in [
                { _ = try await store.client.load(tenant: "thief", session: session) },
                {
                    _ = try await store.client.claim(
                        .with {
                            $0.tenant = "thief"
                            $0.session = session
                            $0.worker = "w"
                            $0.seenFence = claim.fence
                            $0.readerVersion = 1
                        })
                },
                {
                    _ = try await store.client.command(
                        .with {
                            $0.tenant = "thief"
                            $0.session = session
                            $0.command = "c"
                            $0.kind = "close"
                        })
                },
                { try await store.client.follow(tenant: "thief", session: session) { _ in } },
                { _ = try await store.client.getAgent(tenant: "thief", hash: "abc") },
            ] {
                let error = await #expect(throws: SessionLogError.self) { try await call() }
                #expect(error?.code == .notFound)
            }
            let answer = try await store.append(
                session, fence: claim.fence, first: 2, [store.event(claim, 2, .dtmf(.init()))], tenant: "thief")
            #expect(answer.outcome == .gone)
            #expect(try await store.events(of: session).count == 1)
        }
    }

    @Test func `a malformed session id is a session that does not exist`() async throws {
        try await StoreFixture.with { (store) async throws in
            let error = await #expect(throws: SessionLogError.self) {
                try await store.client.load(tenant: store.tenant, session: "../../etc")
            }
            #expect(error?.code == .notFound)
        }
    }

    @Test func `a close is fenced and idempotent, and nothing is appended after it`() async throws {
        try await StoreFixture.with { (store) async throws in
            let claim = try await store.owned()
            let session = claim.header.session
            let closed = try store.event(claim, 2, .closed(.with { $0.reason = "done" }))
            func close(fence: UInt64) async throws -> StoreAppendOutcome {
                try await store.client.close(
                    .with {
                        $0.tenant = store.tenant
                        $0.session = session
                        $0.fence = fence
                        $0.firstSequence = 2
                        $0.events = [closed]
                    }
                ).outcome
            }
            #expect(try await store.append(session, fence: claim.fence - 1, first: 2, []).outcome == .fenced)
            #expect(try await close(fence: claim.fence) == .stored)
            #expect(try await close(fence: claim.fence) == .stored)
            let after = try await store.append(
                session, fence: claim.fence, first: 3, [store.event(claim, 3, .dtmf(.init()))])
            #expect(after.outcome == .gone)
            #expect(try await store.client.load(tenant: store.tenant, session: session).header.status == "closed")
            await #expect(throws: SessionLogError.self) { try await store.claim(session, seen: claim.fence) }
            let lease = try await store.redis.send(
                RedisCommand("ZSCORE", .string(RedisKeys.leases), .string(session)))
            #expect(lease.isNull)
        }
    }

    @Test func `what is stored goes to the archive with all that identifies it`() async throws {
        try await StoreFixture.with { (store) async throws in
            let claim = try await store.owned()
            let bytes = try store.event(claim, 2, .dtmf(.with { $0.digits = "7" }))
            _ = try await store.append(claim.header.session, fence: claim.fence, first: 2, [bytes])
            let id = try SessionID(claim.header.session)
            let archive = try await store.redis.send(
                RedisCommand("XRANGE", .string(RedisKeys.archive(partition: id.partition)), "-", "+"))
            let mine = StreamEntry.entries(archive).filter { $0.fields["session"]?.string == claim.header.session }
            #expect(mine.map { $0.fields["sequence"]?.integer } == [1, 2])
            #expect(mine.last?.fields["tenant"]?.string == store.tenant)
            #expect(mine.last?.fields["fence"]?.integer == Int64(claim.fence))
            #expect(mine.last?.event == bytes)
        }
    }

    @Test func `header and log live for their time after the last renewal`() async throws {
        try await StoreFixture.with { (store) async throws in
            let claim = try await store.owned()
            let id = try SessionID(claim.header.session)
            for key in [RedisKeys.session(id), RedisKeys.log(id)] {
                let life = try await store.redis.send(RedisCommand("PTTL", .string(key))).integer ?? 0
                #expect((3_500_000...3_600_000).contains(life))
            }
        }
    }

    @Test func `a session whose lease has ended is an orphan, a renewed one is not`() async throws {
        try await StoreFixture.with {
            $0.lease = 60_000
        } _: { (store) async throws in
            let (kept, left) = (try await store.owned(), try await store.owned())
            _ = try await store.redis.send(
                RedisCommand(
                    "ZADD", .string(RedisKeys.leases), "1", .string(left.header.session)))
            let orphans = try await store.client.orphans(limit: 1000, minimumAge: .zero).sessions.map(\.session)
            #expect(orphans.contains(left.header.session))
            #expect(!orphans.contains(kept.header.session))
        }
    }

    @Test func `agent definitions are immutable`() async throws {
        try await StoreFixture.with { (store) async throws in
            try await store.client.putAgent(tenant: store.tenant, hash: "h", definition: Data("one".utf8))
            try await store.client.putAgent(tenant: store.tenant, hash: "h", definition: Data("two".utf8))
            #expect(try await store.client.getAgent(tenant: store.tenant, hash: "h") == Data("one".utf8))
        }
    }

    @Test func `above the threshold no session is opened, and the caller learns when to try again`() async throws {
        try await StoreFixture.with {
            $0.openingStopsAt = 0
        } _: { (store) async throws in
            let error = await #expect(throws: SessionLogError.self) { try await store.open() }
            #expect(error?.code == .full)
            #expect(error?.retryAfter == .seconds(5))
        }
    }
}
