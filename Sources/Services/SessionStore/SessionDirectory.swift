import Foundation
import GRPCCore
import RedisClient
import SessionLog
import SwiftProtobuf
import Telemetry

/// Opens, claims, loads and finds sessions: everything that is one question and one answer.
struct SessionDirectory: Sendable {
    let redis: RedisClient
    let condition: RedisCondition
    let settings: StoreSettings
    let metrics: StoreMetrics

    // MARK: Open

    func open(_ request: StoreOpenRequest) async throws -> StoreOpenReply {
        guard !request.tenant.isEmpty else { throw StoreFailure.invalid("the request names no tenant") }
        guard !condition.stopsOpening else {
            metrics.refusedOpenings.increment()
            throw StoreFailure.full(retryAfter: 5000)
        }
        let (session, event) = try newSession(request)
        let reply = try await run(
            StoreScripts.open,
            keys: [
                RedisKeys.session(session), RedisKeys.log(session), RedisKeys.leases,
                RedisKeys.archive(partition: session.partition),
                RedisKeys.open(partition: session.partition, tenant: request.tenant, key: request.idempotencyKey),
            ],
            arguments: [
                .string(request.tenant), .string(session.description), .string(request.opened.agentHash),
                .string(request.opened.backend), .data(try event.stored()), .integer(event.version),
                .integer(settings.life),
                .integer(settings.openingGrace), request.idempotencyKey.isEmpty ? "0" : "1",
            ])
        guard let parts = reply.array, parts.count == 2, let name = parts[1].string else {
            throw StoreFailure.unexpected
        }
        guard parts[0].integer == 1 else { return try await existing(name, tenant: request.tenant) }
        metrics.opened.increment()
        return .with {
            $0.session = name
            $0.fence = 1
        }
    }

    private func newSession(_ request: StoreOpenRequest) throws -> (SessionID, Event) {
        let wall = StoreClock.wall
        let partition = partition(of: request)
        guard let session = try? SessionID(region: request.region, partition: partition, openedAt: wall / 1000) else {
            throw StoreFailure.invalid("the region '\(request.region)' is not 1 to 16 lower-case letters and digits")
        }
        let event = Event.with {
            $0.fence = 1
            $0.sequence = 1
            $0.version = Event.currentVersion
            $0.wallClockMs = wall
            $0.opened = request.opened
            $0.opened.session = session.description
            $0.opened.tenant = request.tenant
            $0.opened.region = request.region
        }
        return (session, EventIntake.redact(event, by: settings.redaction, and: request.opened.redaction) ?? event)
    }

    /// The same key must find the same partition, whichever replica is asked: FNV-1a, since Swift's hashes differ from process to process.
    private func partition(of request: StoreOpenRequest) -> Int {
        guard !request.idempotencyKey.isEmpty else { return Int.random(in: 0..<settings.partitions) }
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in "\(request.tenant)\u{0}\(request.idempotencyKey)".utf8 {
            hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3
        }
        return Int(hash % UInt64(settings.partitions))
    }

    private func existing(_ name: String, tenant: String) async throws -> StoreOpenReply {
        let header = try await header(of: try id(name), tenant: tenant)
        return .with {
            $0.session = name
            $0.fence = header.fence
            $0.existed = true
        }
    }

    // MARK: Claim and load

    func claim(_ request: StoreClaimRequest) async throws -> StoreClaimReply {
        guard !request.worker.isEmpty else { throw StoreFailure.invalid("the request names no worker") }
        let session = try id(request.session)
        let reply = try await run(
            StoreScripts.claim,
            keys: [RedisKeys.session(session), RedisKeys.log(session), RedisKeys.leases],
            arguments: [
                .string(request.tenant), .string(request.session), .string(request.worker), .string(request.address),
                .integer(request.seenFence), .integer(request.highestFence), .integer(settings.lease),
                .integer(request.readerVersion), .integer(settings.life),
            ])
        let parts = reply.array ?? []
        switch parts.first?.string {
        case "claimed" where parts.count == 4:
            metrics.claimed.increment()
            return .with {
                $0.fence = parts[1].integer.map { UInt64(clamping: $0) } ?? 0
                $0.header = Self.header(request.session, parts[2].dictionary ?? [:])
                $0.events = StreamEntry.entries(parts[3]).compactMap(\.event)
            }
        case "gone": throw StoreFailure.notFound("session")
        case "closed": throw StoreFailure.notFound("open session")
        case "taken":
            throw RPCError(
                code: .aborted, message: "another claimant was first, the fence is \(parts.last?.string ?? "?")")
        case "newer":
            throw RPCError(
                code: .failedPrecondition, message: "the log needs a reader of version \(parts.last?.string ?? "?")")
        default: throw StoreFailure.unexpected
        }
    }

    func load(_ request: StoreLoadRequest) async throws -> StoreLoadReply {
        let session = try id(request.session)
        let header = try await header(of: session, tenant: request.tenant)
        guard request.fromSequence < .max else { return .with { $0.header = header } }
        let log = try await send(RedisCommand("XRANGE", .string(RedisKeys.log(session)), "-", "+"))
        return .with {
            $0.header = header
            $0.events = StreamEntry.entries(log).filter { $0.id.minor >= request.fromSequence }.compactMap(\.event)
        }
    }

    /// The header, if the session is this tenant's.
    func header(of session: SessionID, tenant: String) async throws -> StoreHeader {
        let header = Self.header(
            session.description,
            try await send(RedisCommand("HGETALL", .string(RedisKeys.session(session)))).dictionary ?? [:])
        guard !header.tenant.isEmpty, header.tenant == tenant else { throw StoreFailure.notFound("session") }
        return header
    }

    static func header(_ session: String, _ fields: [String: RESPValue]) -> StoreHeader {
        func number(_ name: String) -> UInt64 { fields[name]?.integer.map { UInt64(clamping: $0) } ?? 0 }
        func text(_ name: String) -> String { fields[name]?.string ?? "" }
        return .with {
            $0.session = session
            $0.tenant = text("tenant")
            $0.agentHash = text("agent")
            $0.backend = text("backend")
            $0.status = text("status")
            $0.owner = text("owner")
            $0.ownerAddress = text("address")
            $0.fence = number("fence")
            $0.nextSequence = number("next")
            $0.maxEventVersion = UInt32(clamping: number("version"))
        }
    }

    // MARK: Orphans

    func orphans(_ request: StoreOrphansRequest) async throws -> StoreOrphansReply {
        let limit = min(max(1, Int(request.limit)), 1000)
        let latest = try await time() - max(0, request.minimumAgeMs)
        let headers = try await headers(of: try await expired(before: latest, limit: limit))
        return .with {
            $0.sessions = headers
            $0.settled = condition.isSettled(now: StoreClock.now)
        }
    }

    /// Sessions whose lease ended at or before this time of Redis, the longest ago first.
    private func expired(before latest: Int64, limit: Int) async throws -> [String] {
        let command = RedisCommand(
            "ZRANGEBYSCORE", .string(RedisKeys.leases), "-inf", .integer(latest), "LIMIT", "0", .integer(limit))
        return try await pipeline([command]).first?.array?.compactMap(\.string) ?? []
    }

    /// Leases whose session is gone or closed are removed on the way.
    private func headers(of names: [String]) async throws -> [StoreHeader] {
        let sessions = names.compactMap { try? SessionID($0) }
        guard !sessions.isEmpty else { return [] }
        let replies = try await pipeline(sessions.map { RedisCommand("HGETALL", .string(RedisKeys.session($0))) })
        var headers: [StoreHeader] = []
        var stale: [RedisArgument] = []
        for (session, reply) in zip(sessions, replies) {
            let header = Self.header(session.description, reply.dictionary ?? [:])
            if header.status == "open" {
                headers.append(header)
            } else {
                stale.append(.string(session.description))
            }
        }
        if !stale.isEmpty {
            _ = try await pipeline([RedisCommand([RedisArgument("ZREM"), .string(RedisKeys.leases)] + stale)])
        }
        return headers
    }

    // MARK: Agents

    func putAgent(_ request: StorePutAgentRequest) async throws -> StorePutAgentReply {
        guard !request.tenant.isEmpty, !request.hash.isEmpty, !request.definition.isEmpty else {
            throw StoreFailure.invalid("an agent needs a tenant, a hash and a definition")
        }
        // Versions are immutable: the first definition under a hash stays.
        let key = RedisArgument.string(RedisKeys.agent(tenant: request.tenant, hash: request.hash))
        _ = try await send(
            RedisCommand("SET", key, .data(request.definition), "NX", "PX", .integer(settings.agentLife)))
        _ = try await send(RedisCommand("PEXPIRE", key, .integer(settings.agentLife)))
        return StorePutAgentReply()
    }

    func getAgent(_ request: StoreGetAgentRequest) async throws -> StoreGetAgentReply {
        let key = RedisArgument.string(RedisKeys.agent(tenant: request.tenant, hash: request.hash))
        let reply = try await send(RedisCommand("GETEX", key, "PX", .integer(settings.agentLife)))
        guard let bytes = reply.bytes else { throw StoreFailure.notFound("agent definition") }
        return .with { $0.definition = Data(bytes) }
    }

    // MARK: Redis

    /// Redis's clock in milliseconds since 1970: what leases and the ids of streams are in.
    func time() async throws -> Int64 {
        let time = try await send(RedisCommand("TIME")).array?.compactMap(\.integer) ?? []
        guard time.count == 2 else { throw StoreFailure.unexpected }
        let milliseconds = time[0] * 1000 + time[1] / 1000
        condition.saw(time: milliseconds, now: StoreClock.now)
        return milliseconds
    }

    func id(_ text: String) throws -> SessionID {
        guard let session = try? SessionID(text) else { throw StoreFailure.notFound("session") }
        return session
    }

    func send(_ command: RedisCommand) async throws -> RESPValue {
        try await translated { try await redis.send(command) }
    }

    func pipeline(_ commands: [RedisCommand]) async throws -> [RESPValue] {
        try await translated { try await redis.pipeline(commands) }
    }

    func run(_ script: RedisScript, keys: [String], arguments: [RedisArgument]) async throws -> RESPValue {
        try await translated { try await redis.run(script, keys: keys, arguments: arguments) }
    }

    private func translated<Result: Sendable>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch let error as RedisError {
            if error.code != .server { condition.wentAway() }
            throw StoreFailure.unavailable(error)
        }
    }
}
