import RedisClient
import SessionLog

/// Archive streams, of all partitions or some of them, as one consumer of the group `archivers` sees them.
struct ArchiveStreams: Sendable {
    static let group = "archivers"

    /// Stream keys, by partition.
    let streams: [String]
    let consumer: String
    private let redis: RedisClient
    /// Reads that wait get a connection of their own.
    private let reader: RedisClient
    private let sessions = SessionCache()

    init(_ redis: RedisClient, partitions: some Sequence<Int>, consumer: String) {
        self.redis = redis
        self.consumer = consumer
        reader = redis.dedicated(name: "archiver-reader")
        streams = partitions.map { RedisKeys.archive(partition: $0) }
    }

    func close() async {
        await reader.close()
    }

    /// Makes the group in every stream, from its first entry on; it may be there already.
    func createGroups() async throws {
        let answers = try await redis.pipeline(
            streams.map { RedisCommand("XGROUP", "CREATE", .string($0), .string(Self.group), "0", "MKSTREAM") })
        for case .error(let message) in answers where !message.hasPrefix("BUSYGROUP") {
            throw RedisError(.server, message)
        }
    }

    /// New entries of all streams, at most `count` of each; waits up to `wait` for the first.
    func read(count: Int, wait: Duration) async throws -> [ArchiveEntry] {
        let milliseconds = wait.components.seconds * 1000 + wait.components.attoseconds / 1_000_000_000_000_000
        let arguments: [RedisArgument] =
            ["XREADGROUP", "GROUP", .string(Self.group), .string(consumer), "COUNT", .integer(count), "BLOCK"]
            + [.integer(milliseconds), "STREAMS"] + streams.map { .string($0) } + streams.map { _ in ">" }
        let timeout = wait + reader.configuration.commandTimeout
        let answer = try await reader.send(RedisCommand(arguments, timeout: timeout))
        if answer.isNull { return [] }
        return try (answer.array ?? []).flatMap { pair -> [ArchiveEntry] in
            guard let parts = pair.array, parts.count == 2, let stream = parts[0].string else {
                throw Self.unexpected("XREADGROUP")
            }
            return try entries(parts[1], of: stream, command: "XREADGROUP")
        }
    }

    /// Entries that were delivered to somebody at least `idle` ago and never acknowledged: their consumer died, or could not
    /// say that it had stored them. They are ours now.
    func claim(idle: Duration, count: Int) async throws -> [ArchiveEntry] {
        let milliseconds = idle.components.seconds * 1000
        let answers = try await redis.pipeline(
            streams.map { stream in
                RedisCommand(
                    "XAUTOCLAIM", .string(stream), .string(Self.group), .string(consumer), .integer(milliseconds),
                    "0-0",
                    "COUNT", .integer(count))
            })
        var entries: [ArchiveEntry] = []
        for (stream, answer) in zip(streams, answers) {
            guard let parts = try answer.value().array, parts.count >= 2 else { throw Self.unexpected("XAUTOCLAIM") }
            entries += try self.entries(parts[1], of: stream, command: "XAUTOCLAIM")
        }
        return entries
    }

    /// Tells Redis that the entries are stored.
    func acknowledge(_ entries: [ArchiveEntry]) async throws {
        let byStream = Dictionary(grouping: entries, by: \.stream)
        let answers = try await redis.pipeline(
            byStream.map { stream, entries in
                RedisCommand(["XACK", .string(stream), .string(Self.group)] + entries.map { .string($0.id) })
            })
        for answer in answers { _ = try answer.value() }
    }

    /// For so long a closed session's header stays at least: longer than an owner may restore a session that Redis has lost, so that one
    /// that missed the close cannot bring it back.
    private static let leastHeaderLife = Duration.seconds(120)

    /// Shortens the life of closed sessions' logs and headers, never lengthens it. Their events are in PostgreSQL; what is left is
    /// for readers that follow the end.
    func shortenLife(of sessions: Set<String>, to life: Duration) async throws {
        let ids = sessions.compactMap { try? SessionID($0) }
        let headerLife = max(life, Self.leastHeaderLife)
        let lives = ids.flatMap { [(RedisKeys.log($0), life), (RedisKeys.session($0), headerLife)] }
        let answers = try await redis.pipeline(
            lives.map { RedisCommand("EXPIRE", .string($0), .integer($1.components.seconds), "LT") })
        for answer in answers { _ = try answer.value() }
    }

    /// Removes what every group has acknowledged from every stream. Returns the number of entries that wait, by stream.
    func trim() async throws -> [String: Int] {
        let groups = try await redis.pipeline(streams.map { RedisCommand("XINFO", "GROUPS", .string($0)) })
        var waiting: [String: Int] = [:]
        for (stream, answer) in zip(streams, groups) {
            if case .error = answer { continue }
            let positions = (answer.array ?? []).compactMap(GroupPosition.init)
            waiting[stream] = positions.first { $0.name == Self.group }?.waiting
            guard !positions.isEmpty, let point = try await trimPoint(stream, positions) else { continue }
            _ = try await redis.send(RedisCommand("XTRIM", .string(stream), "MINID", .string(point.description)))
        }
        return waiting
    }

    /// Groups were asked before pending entries, so that whatever is delivered in between lies behind the point.
    private func trimPoint(_ stream: String, _ positions: [GroupPosition]) async throws -> StreamID? {
        let pending = try await redis.pipeline(
            positions.map { RedisCommand("XPENDING", .string(stream), .string($0.name)) })
        var points: [StreamID] = []
        for (position, answer) in zip(positions, pending) {
            guard let parts = try answer.value().array, let count = parts.first?.integer else {
                throw Self.unexpected("XPENDING")
            }
            let oldest = count == 0 ? nil : parts.dropFirst().first?.string.flatMap(StreamID.init)
            points.append(min(position.lastDelivered, oldest ?? position.lastDelivered))
        }
        return points.min()
    }

    /// The answer of PING.
    func ping() async throws {
        _ = try await redis.send(RedisCommand("PING"))
    }

    /// Bytes that Redis uses, and may use: `maxmemory`, or the machine's memory where none is set.
    func memory() async throws -> (used: Double, limit: Double) {
        let info = try await redis.send(RedisCommand("INFO", "memory")).string ?? ""
        var values: [Substring: Double] = [:]
        for line in info.split(whereSeparator: \.isNewline) {
            let parts = line.split(separator: ":")
            if parts.count == 2, let number = Double(parts[1]) { values[parts[0]] = number }
        }
        guard let used = values["used_memory"] else { throw Self.unexpected("INFO memory") }
        let limit = values["maxmemory"] ?? 0
        return (used, limit > 0 ? limit : values["total_system_memory"] ?? 0)
    }

    /// Removes consumers that have been away for `idle` and hold nothing.
    func forgetConsumers(idle: Duration) async throws {
        let answers = try await redis.pipeline(
            streams.map { RedisCommand("XINFO", "CONSUMERS", .string($0), .string(Self.group)) })
        for (stream, answer) in zip(streams, answers) {
            for consumer in (answer.array ?? []).compactMap(\.dictionary) {
                guard let name = consumer["name"]?.string, name != self.consumer, consumer["pending"]?.integer == 0,
                    let quiet = consumer["idle"]?.integer, quiet > idle.components.seconds * 1000
                else { continue }
                _ = try await redis.send(
                    RedisCommand("XGROUP", "DELCONSUMER", .string(stream), .string(Self.group), .string(name)))
            }
        }
    }

    // MARK: -

    private func entries(_ value: RESPValue, of stream: String, command: String) throws -> [ArchiveEntry] {
        try (value.array ?? []).compactMap { entry in
            // An entry that was deleted while it was pending comes as null.
            if entry.isNull { return nil }
            guard let parts = entry.array, parts.count == 2, let id = parts[0].string else {
                throw Self.unexpected(command)
            }
            return ArchiveEntry(stream: stream, id: id, fields: parts[1].array ?? [], sessions: sessions)
        }
    }

    private static func unexpected(_ command: String) -> ArchiverError {
        ArchiverError(.unexpectedReply, "Redis answered \(command) with something unexpected; is it Redis 7 or newer?")
    }
}

/// Id of a stream's entry: milliseconds of Redis time, then a number.
struct StreamID: Hashable, Comparable, Sendable, CustomStringConvertible {
    let milliseconds: UInt64
    let number: UInt64

    init(milliseconds: UInt64, number: UInt64) {
        self.milliseconds = milliseconds
        self.number = number
    }

    init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let milliseconds = UInt64(parts[0]), let number = UInt64(parts[1]) else { return nil }
        self.init(milliseconds: milliseconds, number: number)
    }

    var description: String { "\(milliseconds)-\(number)" }

    static func < (left: StreamID, right: StreamID) -> Bool {
        (left.milliseconds, left.number) < (right.milliseconds, right.number)
    }
}

/// How far a consumer group is.
struct GroupPosition: Sendable {
    let name: String
    let lastDelivered: StreamID
    /// Entries not yet delivered (Redis 7 knows) plus entries delivered and not acknowledged.
    let waiting: Int

    init?(_ value: RESPValue) {
        guard let fields = value.dictionary, let name = fields["name"]?.string,
            let last = fields["last-delivered-id"]?.string.flatMap(StreamID.init)
        else { return nil }
        self.name = name
        lastDelivered = last
        waiting = Int((fields["lag"]?.integer ?? 0) + (fields["pending"]?.integer ?? 0))
    }
}
