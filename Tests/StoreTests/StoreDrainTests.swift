import Foundation
import Logging
import NIOCore
import NIOPosix
import SessionLog
import SwiftProtobuf
import Testing

@testable import SessionStoreService

/// A store that is told to end while a hundred workers write through it.
@Suite(.enabled(if: StoreFixture.isRedisThere, "PARLEY_TEST_REDIS_URL is not set"), .timeLimit(.minutes(2)))
struct StoreDrainTests {
    private struct Worker {
        let client: StoreClient
        let stream: OwnerStream
        let session: OwnedSession
    }

    private func worker(_ number: Int, _ store: StoreFixture) async throws -> Worker {
        let logger = Logger(label: "test")
        let client = try StoreClient(addresses: store.client.addresses, logger: logger)
        let stream = OwnerStream(
            client: client, worker: .init(id: "w\(number)", address: "-", version: "test"), logger: logger)
        let session = stream.own(
            tenant: store.tenant, claim: try await store.owned(),
            eventLoop: MultiThreadedEventLoopGroup.singleton.next()
        ) { _ in }
        return Worker(client: client, stream: stream, session: session)
    }

    @Test func `owners move to the other replica, nothing is lost or doubled, and no lease runs out`() async throws {
        // Longer than a slow machine takes to bring a hundred owners to one store; owners who stay away lose it still.
        try await StoreFixture.with(replicas: 2) { $0.lease = 15_000 } _: { (store) async throws in
            var workers: [Worker] = []
            for number in 0..<100 { workers.append(try await worker(number, store)) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                defer { group.cancelAll() }
                for worker in workers {
                    group.addTask { try await worker.client.run() }
                    group.addTask { await worker.stream.run() }
                }
                try await store.eventually { workers.allSatisfy(\.stream.isAvailable) }
                for turn in 0..<20 {
                    for worker in workers { worker.session.say("\(turn)") }
                    if turn == 10 { store.servers[0].stop() }
                    try await checkLeases(of: workers, store)
                }
                try await store.eventually {
                    try await checkLeases(of: workers, store)
                    return workers.allSatisfy(\.stream.isAvailable)
                }
                for worker in workers { #expect(await worker.session.outcome(of: 21) == .stored) }
            }
            for worker in workers {
                let events = try await store.events(of: worker.session.session)
                #expect(events.map(\.sequence) == Array(1...21))
                #expect(SessionState(events).userTurns.map(\.text) == (0..<20).map(String.init))
            }
        }
    }

    private func checkLeases(of workers: [Worker], _ store: StoreFixture) async throws {
        let orphans = Set(try await store.client.orphans(limit: 1000, minimumAge: .zero).sessions.map(\.session))
        #expect(orphans.isDisjoint(with: workers.map(\.session.session)))
    }
}
