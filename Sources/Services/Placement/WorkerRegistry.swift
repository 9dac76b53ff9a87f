package import RedisClient

/// The workers of a region in Redis: who is there, how much room each has, and reservations of it.
///
/// `parley:workers` is a sorted set of worker ids by last beat; `parley:worker:<id>` a hash with address, capacity, load and the
/// reservations that are still open. Both scripts work on one worker's hash, so a reservation can never overbook it: a reservation counts
/// until the beat whose load has its session in it takes it away, and a beat that arrives late counts for nothing.
package struct WorkerRegistry: Sendable {
    /// A worker is gone when it has not beaten for this long.
    package static let staleMilliseconds: Int64 = 5_000
    /// A reservation lapses when no session has used it after this long: longer than a dispatcher waits for a worker to take a call.
    package static let reservationMilliseconds: Int64 = 12_000
    /// Part of a worker's capacity that new sessions leave free for takeovers, at least.
    package static let minimumReserve = 0.1
    /// Sessions that a worker is given at a time by takeover, so that those it has do not suffer.
    package static let maximumTakeovers = 20

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

    /// Says that the worker is there, with its load, and closes the reservations that its sessions have used up. Returns false for a beat
    /// that came after a later one.
    @discardableResult
    package func beat(_ worker: WorkerBeat) async throws -> Bool {
        var arguments: [RedisArgument] = [
            .string(worker.id), .string(worker.incarnation), .integer(worker.sequence), .integer(Self.staleMilliseconds),
        ]
        let fields: [(String, RedisArgument)] = [
            ("host", .string(worker.host)), ("port", .integer(worker.port)), ("capacity", .string("\(worker.capacity)")),
            ("load", .string("\(worker.load)")), ("measured", .string("\(worker.measuredLoad)")),
            ("sessions", .integer(worker.sessions)), ("draining", worker.draining ? "1" : "0"),
            ("version", .string(worker.version)), ("region", .string(worker.region)),
            ("labels", .string(worker.labels.sorted().joined(separator: ","))),
        ]
        arguments.append(.integer(fields.count))
        for (name, value) in fields { arguments += [.string(name), value] }
        arguments += worker.usedReservations.map { .string($0) }
        return try await redis.run(Self.beatScript, keys: [key(worker.id), index], arguments: arguments).string == "ok"
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
        let answer = (reply.array ?? []).compactMap(\.string)
        guard let now = answer.first.flatMap({ Int64($0) }), answer.count > 1 else { return [] }
        let ids = answer.dropFirst()
        let hashes = try await redis.pipeline(ids.map { RedisCommand("HGETALL", .string(key($0))) })
        return zip(ids, hashes).compactMap { id, value in
            value.dictionary.flatMap { WorkerEntry(id: id, fields: $0, now: now) }
        }
    }

    /// Reserves `weight` for `reservation`, unless that is more than there is. Asking again for the same reservation changes nothing.
    package func reserve(
        _ reservation: String, weight: Double, on worker: String, reserve share: Double,
        purpose: PlacementRequest.Purpose = .new
    ) async throws -> Reservation {
        let arguments: [RedisArgument] = [
            .string(reservation), .string("\(weight)"), .string("\(share)"), .integer(Self.reservationMilliseconds),
            purpose == .takeover ? "t" : "n", .integer(Self.maximumTakeovers),
        ]
        let reply = try await redis.run(Self.reserveScript, keys: [key(worker)], arguments: arguments)
        return Reservation(rawValue: reply.string ?? "") ?? .gone
    }

    /// `busy`: as many takeovers as may be are on their way to the worker.
    package enum Reservation: String, Sendable { case ok, full, busy, draining, gone }

    /// Gives a reservation up that nobody will use.
    package func cancel(_ reservation: String, on worker: String) async throws {
        _ = try await redis.send(RedisCommand("HDEL", .string(key(worker)), .string("r:\(reservation)")))
    }

    // MARK: Scripts

    private static let beatScript = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        if ARGV[2] ~= '' then
          local last = redis.call('HMGET', KEYS[1], 'incarnation', 'sequence')
          if last[1] == ARGV[2] and tonumber(last[2]) > tonumber(ARGV[3]) then return 'late' end
        end
        redis.call('HSET', KEYS[1], 'incarnation', ARGV[2], 'sequence', ARGV[3])
        local last = 5 + 2 * tonumber(ARGV[5])
        for i = 6, last, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
        for i = last + 1, #ARGV do redis.call('HDEL', KEYS[1], 'r:' .. ARGV[i]) end
        redis.call('PEXPIRE', KEYS[1], ARGV[4])
        redis.call('ZADD', KEYS[2], string.format('%.0f', now), ARGV[1])
        redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - 60000))
        return 'ok'
        """)

    private static let listScript = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local ids = redis.call('ZRANGEBYSCORE', KEYS[1], string.format('%.0f', now - ARGV[1]), '+inf')
        table.insert(ids, 1, string.format('%.0f', now))
        return ids
        """)

    /// `PlacementSimulation.ReservationModel` does the same in Swift, and a test compares the two.
    private static let reserveScript = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        local fields = redis.call('HGETALL', KEYS[1])
        local used, capacity, takeovers, draining, known = 0, nil, 0, false, false
        for i = 1, #fields, 2 do
          local name, value = fields[i], fields[i + 1]
          if name == 'load' then used = used + tonumber(value)
          elseif name == 'capacity' then capacity = tonumber(value)
          elseif name == 'draining' then draining = value == '1'
          elseif string.sub(name, 1, 2) == 'r:' then
            local weight, expiry, purpose = string.match(value, '([^:]+):([^:]+):(.)')
            if tonumber(expiry) <= now then redis.call('HDEL', KEYS[1], name)
            else
              used = used + tonumber(weight)
              if purpose == 't' then takeovers = takeovers + 1 end
              if name == 'r:' .. ARGV[1] then known = true end
            end
          end
        end
        if not capacity then return 'gone' end
        if draining then return 'draining' end
        if known then return 'ok' end
        if used + tonumber(ARGV[2]) > capacity * (1 - tonumber(ARGV[3])) + 0.000001 then return 'full' end
        if ARGV[5] == 't' and takeovers >= tonumber(ARGV[6]) then return 'busy' end
        redis.call('HSET', KEYS[1], 'r:' .. ARGV[1],
          ARGV[2] .. ':' .. string.format('%.0f', now + tonumber(ARGV[4])) .. ':' .. ARGV[5])
        return 'ok'
        """)
}
