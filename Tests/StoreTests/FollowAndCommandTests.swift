import Audio
import Foundation
import NIOCore
import NIOPosix
import RedisClient
import SwiftProtobuf
import Synchronization
import Testing

@testable import SessionLog
@testable import SessionStoreService

@Suite(.enabled(if: StoreFixture.isRedisThere, "PARLEY_TEST_REDIS_URL is not set"), .timeLimit(.minutes(1)))
struct FollowAndCommandTests {
    private let loop = MultiThreadedEventLoopGroup.singleton.any()

    @Test func `a follower gets the log and what is added, until the session is closed`() async throws {
        try await StoreFixture.with { (store) async throws in
            try await store.withStream { (stream) async throws in
                let session = stream.own(tenant: store.tenant, claim: try await store.owned(), eventLoop: loop) { _ in }
                #expect(await session.outcome(of: session.say("0")) == .stored)
                let followed = Mutex<[Event]>([])
                try await store.client.follow(tenant: store.tenant, session: session.session) { reply in
                    let count = try followed.withLock { followed in
                        followed += try reply.events.map { try Event(stored: $0) }
                        return followed.count
                    }
                    if count < 6 { session.say("\(count - 1)") }
                    if count == 6 { session.append(.closed(.init()), position: .zero, leg: 0) }
                }
                let events = followed.withLock { $0 }
                #expect(events.map(\.sequence) == Array(1...7))
                #expect(SessionState(events).userTurns.map(\.text) == (0..<5).map(String.init))
            }
        }
    }

    @Test func `a follower goes on at another replica, and nothing comes twice`() async throws {
        try await StoreFixture.with(replicas: 2) { (store) async throws in
            try await store.withStream { (stream) async throws in
                let session = stream.own(tenant: store.tenant, claim: try await store.owned(), eventLoop: loop) { _ in }
                let followed = Mutex<[UInt64]>([])
                session.say("first")
                try await store.client.follow(tenant: store.tenant, session: session.session) { reply in
                    let count = try followed.withLock { followed in
                        followed += try reply.events.map { try Event(stored: $0).sequence }
                        return followed.count
                    }
                    if count == 3 { store.servers[0].stop() }
                    if count < 6 {
                        session.say("more")
                    } else {
                        session.append(.closed(.init()), position: .zero, leg: 0)
                    }
                }
                let sequences = followed.withLock { $0 }
                #expect(sequences == Array(1...UInt64(sequences.count)))
            }
        }
    }

    @Test func `a command reaches the owner at another replica, and is answered when it is in the log`() async throws {
        try await StoreFixture.with(replicas: 2) { (store) async throws in
            try await store.withStream { (stream) async throws in
                let heard = Notices()
                let session = stream.own(
                    tenant: store.tenant, claim: try await store.owned(), eventLoop: loop, notify: heard.notify)
                // Calls and the worker's stream share the client; the stream stays at the first replica, the calls go on at the second.
                #expect(await session.outcome(of: session.say("hello")) == .stored)
                store.client.moveOn(from: store.client.current.index)
                async let reply = store.client.command(command(store, session.session, "c1"))
                guard case .command(let id, let kind, let payload) = await heard.next() else {
                    throw SessionLogError(.lost, message: "no command came")
                }
                #expect((id, kind, payload) == ("c1", "say", "Hello there"))
                session.append(
                    .command(
                        .with {
                            $0.command = id
                            $0.kind = kind
                            $0.outcome = "done"
                        }), position: .zero, leg: 0)
                let answer = try await reply
                #expect((answer.outcome, answer.existed) == ("done", false))
                let again = try await store.client.command(command(store, session.session, "c1"))
                #expect((again.outcome, again.existed) == ("done", true))
                let logged = try await store.events(of: session.session).filter { $0.command.command == "c1" }
                #expect(logged.count == 1)
            }
        }
    }

    @Test func `a command that the owner refuses without logging it is answered too`() async throws {
        try await StoreFixture.with { (store) async throws in
            try await store.withStream { (stream) async throws in
                let session = try await store.owned()
                _ = stream.own(tenant: store.tenant, claim: session, eventLoop: loop) { notice in
                    guard case .command(let id, _, _) = notice else { return }
                    stream.answer(session: session.header.session, command: id, outcome: "refused", detail: "not now")
                }
                let answer = try await store.client.command(command(store, session.header.session, "c1"))
                #expect((answer.outcome, answer.detail) == ("refused", "not now"))
            }
        }
    }

    @Test func `a command that nobody takes up runs into its deadline`() async throws {
        try await StoreFixture.with { (store) async throws in
            let session = try await store.owned()
            let error = await #expect(throws: SessionLogError.self) {
                try await store.client.command(command(store, session.header.session, "c1", deadline: 50))
            }
            #expect(error?.code == .timeout)
        }
    }

    private func command(_ store: StoreFixture, _ session: String, _ id: String, deadline: Int64 = 30_000)
        -> StoreCommandRequest
    {
        .with {
            $0.tenant = store.tenant
            $0.session = session
            $0.command = id
            $0.kind = "say"
            $0.payload = "Hello there"
            $0.deadlineMs = deadline
        }
    }
}
