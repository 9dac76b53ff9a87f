import Audio
import Foundation
import NIOCore
import NIOPosix
import RedisClient
import SessionLog
import SwiftProtobuf
import Synchronization
import Testing

@testable import SessionStoreService

/// A worker against a real store over a real Redis.
@Suite(.enabled(if: StoreFixture.isRedisThere, "PARLEY_TEST_REDIS_URL is not set"), .timeLimit(.minutes(1)))
struct OwnerStreamTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.any()

    private func own(_ store: StoreFixture, _ stream: OwnerStream, _ heard: Notices = Notices()) async throws
        -> OwnedSession
    {
        stream.own(tenant: store.tenant, claim: try await store.owned(), eventLoop: loop, notify: heard.notify)
    }

    @Test func `what is appended is stored in order, and its owner is told`() async throws {
        try await StoreFixture.with { (store) async throws in
            try await store.withStream { (stream) async throws in
                let sessions = [try await own(store, stream), try await own(store, stream)]
                for index in 0..<100 { for session in sessions { session.say("\(index)", turn: UInt32(index)) } }
                for session in sessions {
                    #expect(await session.outcome(of: 101) == .stored)
                    let texts = SessionState(try await store.events(of: session.session)).userTurns.map(\.text)
                    #expect(texts == (0..<100).map(String.init))
                }
            }
        }
    }

    @Test func `telemetry alone is stored with the next renewal`() async throws {
        try await StoreFixture.with { (store) async throws in
            try await store.withStream { (stream) async throws in
                let session = try await own(store, stream)
                let event = session.append(.usage(.with { $0.kind = "llm" }), position: .zero, leg: 0)
                try await store.eventually { try await store.events(of: session.session).contains { $0.id == event.id } }
            }
        }
    }

    @Test func `a worker whose session was claimed is told, and what it still says is not stored`() async throws {
        try await StoreFixture.with { (store) async throws in
            try await store.withStream { (stream) async throws in
                let heard = Notices()
                let session = try await own(store, stream, heard)
                #expect(await session.outcome(of: session.say("before")) == .stored)
                let winner = try await store.claim(session.session, seen: session.fence, worker: "other")
                // Nothing is appended: the renewal tells.
                guard case .lost = await heard.next() else {
                    throw SessionLogError(.lost, message: "no notice of the loss")
                }
                #expect(await session.outcome(of: session.say("after")) == .lost)
                #expect(SessionState(try await store.events(of: session.session)).userTurns.map(\.text) == ["before"])
                #expect(winner.events.count == 2)
                #expect(stream.sessionCount == 0)
            }
        }
    }

    @Test func `what Redis lost at the end of a log is appended again`() async throws {
        try await StoreFixture.with { (store) async throws in
            try await store.withStream { (stream) async throws in
                let session = try await own(store, stream)
                for index in 0..<10 { session.say("\(index)") }
                #expect(await session.outcome(of: 11) == .stored)
                try await loseTail(of: session.session, from: 7, in: store)
                #expect(await session.outcome(of: session.say("10")) == .stored)
                let events = try await store.events(of: session.session)
                #expect(events.map(\.sequence) == Array(1...12))
                #expect(SessionState(events).userTurns.map(\.text) == (0...10).map(String.init))
            }
        }
    }

    @Test func `a claim that Redis lost is adopted, with what was loaded at the claim`() async throws {
        try await StoreFixture.with { (store) async throws in
            let first = try await store.owned()
            let session = first.header.session
            let events = try (2...5).map { sequence in
                try store.event(first, sequence, .userTurn(.with { $0.text = "\(sequence)" }))
            }
            _ = try await store.append(session, fence: first.fence, first: 2, events)
            let second = try await store.claim(session, seen: first.fence, worker: "second")
            // The failover: the claim and the last two events are gone.
            try await loseTail(of: session, from: 4, in: store)
            let id = try SessionID(session)
            _ = try await store.redis.send(
                RedisCommand(
                    "HSET", .string(RedisKeys.session(id)), "fence", .integer(first.fence), "owner",
                    .string(store.worker)))
            try await store.withStream(worker: "second") { (stream) async throws in
                let owned = stream.own(tenant: store.tenant, claim: second, eventLoop: loop) { _ in }
                #expect(await owned.outcome(of: owned.say("6")) == .stored)
            }
            let header = try await store.client.load(tenant: store.tenant, session: session).header
            #expect(header.fence == second.fence)
            #expect(header.owner == "second")
            let state = SessionState(try await store.events(of: session))
            #expect(state.userTurns.map(\.text) == ["2", "3", "4", "5", "6"])
        }
    }

    @Test func `a replica that stops in mid-append loses nothing: the worker goes on at the other one`() async throws {
        try await StoreFixture.with(replicas: 2) { (store) async throws in
            try await store.withStream { (stream) async throws in
                let session = try await own(store, stream)
                for index in 0..<200 {
                    session.say("\(index)")
                    if index == 100 { store.servers[0].stop() }
                    if index % 20 == 0 { await Task.yield() }
                }
                #expect(await session.outcome(of: 201) == .stored)
                let texts = SessionState(try await store.events(of: session.session)).userTurns.map(\.text)
                #expect(texts == (0..<200).map(String.init))
            }
        }
    }

    @Test func `a store whose Redis connections are killed in mid-append loses nothing`() async throws {
        try await StoreFixture.with { (store) async throws in
            try await store.withStream { (stream) async throws in
                let session = try await own(store, stream)
                for index in 0..<100 {
                    session.say("\(index)")
                    if index % 25 == 10 {
                        for server in store.servers { try await kill(server, store) }
                    }
                }
                #expect(await session.outcome(of: 101) == .stored)
                let texts = SessionState(try await store.events(of: session.session)).userTurns.map(\.text)
                #expect(texts == (0..<100).map(String.init))
            }
        }
    }

    @Test func `a closed session's last events are stored and the worker lets go of it`() async throws {
        try await StoreFixture.with { (store) async throws in
            try await store.withStream { (stream) async throws in
                let session = try await own(store, stream)
                session.say("bye")
                let last = session.append(.closed(.with { $0.reason = "hang-up" }), position: .zero, leg: 0).sequence
                session.close()
                #expect(await session.outcome(of: last) == .stored)
                let reply = try await store.client.load(tenant: store.tenant, session: session.session)
                #expect(reply.header.status == "closed")
                #expect(stream.sessionCount == 0)
            }
        }
    }

    @Test func `when memory is short telemetry is dropped and turns are stored`() async throws {
        try await StoreFixture.with {
            $0.telemetryStopsAt = 0
        } _: { (store) async throws in
            try await store.withStream { (stream) async throws in
                let session = try await own(store, stream)
                let turn = session.say("Hello")
                let usage = session.append(.usage(.with { $0.kind = "llm" }), position: .zero, leg: 0).sequence
                let next = session.say("Anybody?")
                #expect(await session.outcome(of: next) == .stored)
                #expect(await session.outcome(of: turn) == .stored)
                #expect(await session.outcome(of: usage) == .dropped)
                #expect(try await store.events(of: session.session).map(\.sequence) == [1, turn, next])
            }
        }
    }

    /// Takes the log's entries from a sequence on away, as a failover to a lagging replica does.
    private func loseTail(of session: String, from sequence: UInt64, in store: StoreFixture) async throws {
        let id = try SessionID(session)
        let lost = try await store.events(of: session).filter { $0.sequence >= sequence }
        let kept = try await store.events(of: session).filter { $0.sequence < sequence }
        let log = RedisArgument.string(RedisKeys.log(id))
        // A stream remembers its last id; a replica that lagged never had it. So the stream is written anew.
        _ = try await store.redis.send(RedisCommand("DEL", log))
        for event in kept {
            _ = try await store.redis.send(
                RedisCommand("XADD", log, .string("\(event.id)"), "event", .data(event.stored())))
        }
        #expect(!lost.isEmpty)
        _ = try await store.redis.send(
            RedisCommand(
                "HSET", .string(RedisKeys.session(id)), "next", .integer(sequence), "last_fence",
                .integer(kept.last?.fence ?? 1)))
    }

    /// Kills the connections of a store that run its scripts.
    private func kill(_ server: SessionStoreServer, _ store: StoreFixture) async throws {
        let list = try await store.redis.send(RedisCommand("CLIENT", "LIST")).string ?? ""
        for line in list.split(separator: "\n") where line.contains("name=\(server.connectionName) ") {
            guard let id = line.split(separator: " ").first?.dropFirst(3) else { continue }
            _ = try await store.redis.pipeline([RedisCommand("CLIENT", "KILL", "ID", .string(String(id)))])
        }
    }
}
