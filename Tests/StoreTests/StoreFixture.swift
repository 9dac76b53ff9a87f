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

/// A session store on a free port over the Redis of `PARLEY_TEST_REDIS_URL`. Sessions have names that nobody else uses, so that tests run beside
/// each other.
final class StoreFixture: Sendable {
    static let url = ProcessInfo.processInfo.environment["PARLEY_TEST_REDIS_URL"]
    static let isRedisThere = url != nil

    let client: StoreClient
    let redis: RedisClient
    let servers: [SessionStoreServer]
    let metrics: MetricsRegistry
    let tenant = "tenant-\(UUID().uuidString)"
    let worker = "worker-\(UUID().uuidString)"

    private init(client: StoreClient, redis: RedisClient, servers: [SessionStoreServer], metrics: MetricsRegistry) {
        self.client = client
        self.redis = redis
        self.servers = servers
        self.metrics = metrics
    }

    /// Runs `body` with so many replicas of a store, and stops them.
    ///
    /// - Parameter redis: the URL of a Redis of the test's own
    static func with<Result: Sendable>(
        replicas: Int = 1, redis address: String? = nil, security: StoreSecurity = .plaintext, _ change: (inout StoreSettings) -> Void = { _ in },
        _ body: (StoreFixture) async throws -> Result
    ) async throws -> Result {
        var settings = StoreSettings()
        change(&settings)
        let logger = Logger(label: "test")
        let metrics = MetricsRegistry()
        let configuration = try RedisConfiguration(url: address ?? url ?? "")
        let loop = MultiThreadedEventLoopGroup.singleton.any()
        let servers = (0..<replicas).map { _ in
            SessionStoreServer(
                host: "127.0.0.1", port: 0, redis: configuration, settings: settings, security: security, eventLoops: .singleton, metrics: metrics,
                logger: logger)
        }
        let redis = RedisClient(configuration, on: loop, logger: logger)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for server in servers { group.addTask { try await server.run() } }
            var addresses: [StoreClient.Address] = []
            for server in servers { addresses.append(try await server.listeningAddress) }
            let client = try StoreClient(addresses: addresses, security: security, timeout: .seconds(20), logger: logger)
            group.addTask { try await client.run() }
            let fixture = StoreFixture(client: client, redis: redis, servers: servers, metrics: metrics)
            do {
                let result = try await body(fixture)
                await fixture.end()
                try await group.waitForAll()
                return result
            } catch {
                await fixture.end()
                throw error
            }
        }
    }

    private func end() async {
        client.close()
        for server in servers { server.stop() }
        await redis.close()
    }

    // MARK: Shorthands

    func open(key: String = "") async throws -> StoreOpenReply {
        try await client.open(
            .with {
                $0.tenant = tenant
                $0.region = "eu1"
                $0.idempotencyKey = key
                $0.opened.agent = "lead-qualification"
                $0.opened.agentHash = "abc"
                $0.opened.backend = "pipecat"
            })
    }

    func claim(_ session: String, seen fence: UInt64, highest: UInt64 = 0, worker: String? = nil) async throws
        -> StoreClaimReply
    {
        try await client.claim(
            .with {
                $0.tenant = tenant
                $0.session = session
                $0.worker = worker ?? self.worker
                $0.address = "10.0.0.1:7100"
                $0.seenFence = fence
                $0.highestFence = highest
                $0.readerVersion = Event.currentVersion
                $0.reason = "opened"
            })
    }

    /// Opens a session and claims it.
    func owned() async throws -> StoreClaimReply {
        let opened = try await open()
        return try await claim(opened.session, seen: opened.fence)
    }

    /// Runs `body` with a worker's stream.
    func withStream<Result: Sendable>(worker: String? = nil, _ body: (OwnerStream) async throws -> Result) async throws
        -> Result
    {
        let stream = OwnerStream(
            client: client, worker: .init(id: worker ?? self.worker, address: "10.0.0.1:7100", version: "test"),
            logger: Logger(label: "test"))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await stream.run() }
            defer { group.cancelAll() }
            return try await body(stream)
        }
    }

    /// Runs `body` with the stream of another worker process, which has connections of its own.
    func withWorker<Result: Sendable>(_ name: String, _ body: (OwnerStream) async throws -> Result) async throws
        -> Result
    {
        let client = try StoreClient(addresses: self.client.addresses, logger: Logger(label: "test"))
        let stream = OwnerStream(
            client: client, worker: .init(id: name, address: "\(name):7100", version: "test"),
            logger: Logger(label: "test"))
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await client.run() }
            group.addTask { await stream.run() }
            do {
                let result = try await body(stream)
                group.cancelAll()
                return result
            } catch {
                group.cancelAll()
                throw error
            }
        }
    }

    /// The session's lease as if its owner had been gone for ever.
    func endLease(of session: String) async throws {
        _ = try await redis.send(RedisCommand("ZADD", .string(RedisKeys.leases), "1", .string(session)))
    }

    /// What the archive stream has of a session, in order of arrival.
    func archived(_ session: String) async throws -> [Event] {
        let archive = RedisKeys.archive(partition: try SessionID(session).partition)
        let entries = StreamEntry.entries(try await redis.send(RedisCommand("XRANGE", .string(archive), "-", "+")))
        return try entries.filter { $0.fields["session"]?.string == session }.map {
            try Event(stored: $0.event ?? Data())
        }
    }

    func eventually(_ isSo: () async throws -> Bool) async throws { try await lookAgain(until: isSo) }

    func events(of session: String) async throws -> [Event] {
        try await client.load(tenant: tenant, session: session).events.map { try Event(stored: $0) }
    }

    func event(_ claim: StoreClaimReply, _ sequence: UInt64, fence: UInt64? = nil, _ body: Event.OneOf_Body) throws
        -> Data
    {
        try Event.with {
            $0.fence = fence ?? claim.fence
            $0.sequence = sequence
            $0.version = 1
            $0.body = body
        }.stored()
    }

    /// One append on a stream of its own, to see the answer as it is.
    func append(
        _ session: String, fence: UInt64, first: UInt64, _ events: [Data], tenant: String? = nil
    ) async throws -> StoreAppended {
        let answers = Mutex<[StoreAppended]>([])
        let request = StoreAppend.with {
            $0.tenant = tenant ?? self.tenant
            $0.session = session
            $0.fence = fence
            $0.firstSequence = first
            $0.events = events
        }
        try await RawOwner.exchange(client, worker: worker, .with { $0.append = request }) { reply in
            guard case .appendedAll(let all) = reply.body else { return false }
            answers.withLock { $0 += all.appended }
            return true
        }
        return try #require(answers.withLock { $0.first })
    }
}

/// What a test has heard of a session.
final class Notices: Sendable {
    let notices = Mutex<[OwnedSession.Notice]>([])
    private let (stream, continuation) = AsyncStream.makeStream(of: OwnedSession.Notice.self)

    var notify: @Sendable (OwnedSession.Notice) -> Void {
        { notice in
            self.notices.withLock { $0.append(notice) }
            self.continuation.yield(notice)
        }
    }

    /// The next notice; the test's time limit is the deadline.
    func next() async -> OwnedSession.Notice? {
        for await notice in stream { return notice }
        return nil
    }
}

extension OwnedSession {
    /// What becomes of an event.
    func outcome(of sequence: UInt64) async -> StorageOutcome {
        await withCheckedContinuation { continuation in whenSettled(sequence) { continuation.resume(returning: $0) } }
    }

    @discardableResult
    func say(_ text: String, turn: UInt32 = 1) -> UInt64 {
        append(
            .userTurn(
                .with {
                    $0.text = text
                    $0.turn = turn
                }), position: .zero, leg: 1
        ).sequence
    }
}

/// Looks again until it is so; the test's time limit is the deadline.
func lookAgain(until isSo: () async throws -> Bool) async throws {
    while try await !isSo() { try await Task.sleep(for: .milliseconds(20)) }
}
