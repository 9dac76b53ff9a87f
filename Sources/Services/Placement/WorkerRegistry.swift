package import RedisClient

/// The workers of a region in Redis: who is there, how much room each has, and reservations of it.
///
/// `parley:workers` is a sorted set of worker ids by last beat; `parley:worker:<id>` a hash with address, capacity, load and the
/// reservations that are still open. Both scripts work on one worker's hash, so a reservation can never overbook it.
package struct WorkerRegistry: Sendable {
    /// A worker is gone when it has not beaten for this long.
    package static let staleMilliseconds: Int64 = 5_000
    /// A reservation lapses when no session has used it after this long.
    package static let reservationMilliseconds: Int64 = 5_000
    /// Part of a worker's capacity that new sessions leave free for takeovers, at least.
    package static let minimumReserve = 0.1

    private let redis: RedisClient
    private let prefix: String

    /// `prefix` is `parley` but for tests.
    package init(redis: RedisClient, prefix: String = "parley") {
        self.redis = redis
        self.prefix = prefix
    }

    private var index: String { "\(prefix):workers" }
    private func key(_ worker: String) -> String { "\(prefix):worker:\(worker)" }

    // MARK: The worker's side

    /// Says that the worker is there, with its load, and closes the reservations that its sessions have used up.
    package func beat(_ worker: WorkerBeat) async throws {
        var arguments: [RedisArgument] = [
            .string(worker.id), .string(worker.host), .integer(worker.port), .string("\(worker.capacity)"), .string("\(worker.load)"),
            .integer(worker.sessions), .string(worker.draining ? "1" : "0"), .string(worker.version), .integer(Self.staleMilliseconds),
        ]
        arguments += worker.usedReservations.map { .string($0) }
        _ = try await redis.run(Self.beatScript, keys: [key(worker.id), index], arguments: arguments)
    }

    /// The worker is leaving for good.
    package func leave(_ worker: String) async throws {
        _ = try await redis.send(RedisCommand("DEL", .string(key(worker))))
        _ = try await redis.send(RedisCommand("ZREM", .string(index), .string(worker)))
    }

    // MARK: The dispatcher's side

    /// The workers that have beaten lately.
    package func workers() async throws -> [WorkerEntry] {
        let reply = try await redis.run(Self.listScript, keys: [index], arguments: [.integer(Self.staleMilliseconds)])
        let ids = (reply.array ?? []).compactMap(\.string)
        guard !ids.isEmpty else { return [] }
        let hashes = try await redis.pipeline(ids.map { RedisCommand("HGETALL", .string(key($0))) })
        return zip(ids, hashes).compactMap { id, value in value.dictionary.flatMap { WorkerEntry(id: id, fields: $0) } }
    }

    /// Reserves `weight` for `reservation`, unless that is more than there is. Asking again for the same reservation changes nothing.
    package func reserve(_ reservation: String, weight: Double, on worker: String, reserve share: Double) async throws -> Reservation {
        let arguments: [RedisArgument] = [
            .string(reservation), .string("\(weight)"), .string("\(share)"), .integer(Self.reservationMilliseconds),
        ]
        let reply = try await redis.run(Self.reserveScript, keys: [key(worker)], arguments: arguments)
        return Reservation(rawValue: reply.string ?? "") ?? .gone
    }

    package enum Reservation: String, Sendable { case ok, full, draining, gone }

    // MARK: Scripts

    private static let beatScript = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        redis.call('HSET', KEYS[1], 'host', ARGV[2], 'port', ARGV[3], 'capacity', ARGV[4], 'load', ARGV[5], 'sessions', ARGV[6],
          'draining', ARGV[7], 'version', ARGV[8])
        for i = 10, #ARGV do redis.call('HDEL', KEYS[1], 'r:' .. ARGV[i]) end
        redis.call('PEXPIRE', KEYS[1], ARGV[9])
        redis.call('ZADD', KEYS[2], now, ARGV[1])
        redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 60000)
        return 'ok'
        """)

    private static let listScript = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        return redis.call('ZRANGEBYSCORE', KEYS[1], now - ARGV[1], '+inf')
        """)

    private static let reserveScript = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local fields = redis.call('HGETALL', KEYS[1])
        if #fields == 0 then return 'gone' end
        local used, capacity, draining, known = 0, 0, false, false
        for i = 1, #fields, 2 do
          local name, value = fields[i], fields[i + 1]
          if name == 'load' then used = used + tonumber(value)
          elseif name == 'capacity' then capacity = tonumber(value)
          elseif name == 'draining' then draining = value == '1'
          elseif string.sub(name, 1, 2) == 'r:' then
            local weight, expiry = string.match(value, '([^:]+):(.+)')
            if name == 'r:' .. ARGV[1] then known = true
            elseif tonumber(expiry) <= now then redis.call('HDEL', KEYS[1], name)
            else used = used + tonumber(weight) end
          end
        end
        if draining then return 'draining' end
        if known then return 'ok' end
        if used + tonumber(ARGV[2]) > capacity * (1 - tonumber(ARGV[3])) then return 'full' end
        redis.call('HSET', KEYS[1], 'r:' .. ARGV[1], ARGV[2] .. ':' .. string.format('%.0f', now + tonumber(ARGV[4])))
        return 'ok'
        """)
}

/// What a worker says of itself once a second and whenever its load changes.
package struct WorkerBeat: Sendable, Hashable {
    package var id: String
    package var host: String
    package var port: Int
    package var capacity: Double
    package var load: Double
    package var sessions: Int
    package var draining: Bool
    package var version: String
    package var usedReservations: [String]

    package init(
        id: String, host: String, port: Int, capacity: Double, load: Double, sessions: Int, draining: Bool, version: String,
        usedReservations: [String] = []
    ) {
        self.id = id
        self.host = host
        self.port = port
        self.capacity = capacity
        self.load = load
        self.sessions = sessions
        self.draining = draining
        self.version = version
        self.usedReservations = usedReservations
    }
}

/// A worker as Redis knows it.
package struct WorkerEntry: Sendable, Hashable {
    package var id: String
    package var host: String
    package var port: Int
    package var capacity: Double
    package var load: Double
    package var isDraining: Bool

    package init(id: String, host: String, port: Int, capacity: Double, load: Double, isDraining: Bool) {
        self.id = id
        self.host = host
        self.port = port
        self.capacity = capacity
        self.load = load
        self.isDraining = isDraining
    }

    init?(id: String, fields: [String: RESPValue]) {
        guard let host = fields["host"]?.string, let port = fields["port"]?.integer,
            let capacity = fields["capacity"]?.string.flatMap({ Double($0) }), let load = fields["load"]?.string.flatMap({ Double($0) })
        else { return nil }
        self.init(
            id: id, host: host, port: Int(port), capacity: capacity, load: load, isDraining: fields["draining"]?.string == "1")
    }

    /// Share of the capacity in use.
    package var utilisation: Double { capacity > 0 ? load / capacity : 1 }
}
