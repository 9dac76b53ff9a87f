package import RedisClient

/// Limits in Redis, exact however many processes ask: every decision is one script, in Redis's own time.
///
/// A bucket is a hash with its tokens and the microsecond they are of; it is gone when it would be full again. The leases of a subject are a
/// sorted set of members by expiry; it is gone when the last one has lapsed.
package struct RedisLimits: LimitStore {
    /// A lease lapses when it has not been renewed for this long.
    package static let leaseMilliseconds: Int64 = 15_000
    /// Leases renewed by one run of the script, so that it holds up nobody else.
    private static let renewedAtOnce = 500

    private let redis: RedisClient
    private let prefix: String

    /// `prefix` is `parley:limit` but for tests.
    package init(redis: RedisClient, prefix: String = "parley:limit") {
        self.redis = redis
        self.prefix = prefix
    }

    private func bucket(_ request: BucketRequest) -> String {
        "\(prefix):bucket:\(request.what):\(request.subject.kind.rawValue):\(request.subject.id)"
    }

    private func set(_ what: String, _ subject: LimitSubject) -> String {
        "\(prefix):lease:\(what):\(subject.kind.rawValue):\(subject.id)"
    }

    // MARK: Buckets

    package func take(_ buckets: [BucketRequest]) async throws -> LimitRefusal? {
        guard !buckets.isEmpty else { return nil }
        let reply = try await run(buckets, mustHave: true)
        guard let answer = reply.array, answer.count == 2, let index = answer[0].integer, let wait = answer[1].integer,
            index <= buckets.count
        else { throw RedisError(.unexpectedReply, "The script of the rate limiter returned something else.") }
        guard index > 0 else { return nil }
        return LimitRefusal(buckets[Int(index) - 1], retryAfter: wait < 0 ? nil : .microseconds(wait))
    }

    package func charge(_ buckets: [BucketRequest]) async throws {
        guard !buckets.isEmpty else { return }
        _ = try await run(buckets, mustHave: false)
    }

    private func run(_ buckets: [BucketRequest], mustHave: Bool) async throws -> RESPValue {
        var arguments: [RedisArgument] = [mustHave ? "1" : "0"]
        for bucket in buckets {
            arguments += [bucket.limit.perSecond, bucket.limit.burst, bucket.count, bucket.reserve].map {
                .string("\($0)")
            }
        }
        return try await redis.run(Self.bucketScript, keys: buckets.map { bucket($0) }, arguments: arguments)
    }

    /// Answers with the number of the bucket that refused (of several, the one that takes longest) and the microseconds until it would not,
    /// -1 for never. A clock that went back gives nothing and takes nothing.
    private static let bucketScript = RedisScript(
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local left, refused, longest = {}, 0, 0
        for i, key in ipairs(KEYS) do
          local rate, burst = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
          local count, reserve = tonumber(ARGV[4 * i]), tonumber(ARGV[4 * i + 1])
          local saved = redis.call('HMGET', key, 't', 'u')
          local tokens = burst
          if saved[1] then
            tokens = math.min(burst, tonumber(saved[1]) + math.max(0, now - tonumber(saved[2])) * rate / 1000000)
          end
          left[i] = math.min(burst, tokens - count)
          local missing = reserve - left[i]
          if ARGV[1] == '1' and missing > 0.000001 then
            local wait = -1
            if rate > 0 and count + reserve <= burst then wait = math.ceil(missing / rate * 1000000) end
            if refused == 0 or longest >= 0 and (wait < 0 or wait > longest) then refused, longest = i, wait end
          end
        end
        if refused > 0 then return {refused, longest} end
        for i, key in ipairs(KEYS) do
          local rate, burst = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
          redis.call('HSET', key, 't', string.format('%.17g', left[i]), 'u', string.format('%.0f', now))
          local life = 86400000
          if rate > 0 then life = math.min(life, math.ceil((burst - left[i]) / rate * 1000) + 1000) end
          redis.call('PEXPIRE', key, string.format('%.0f', life))
        end
        return {0, 0}
        """)

    // MARK: Leases

    package func acquire(_ member: String, _ leases: [LeaseRequest]) async throws -> LimitRefusal? {
        guard !leases.isEmpty else { return nil }
        let arguments: [RedisArgument] =
            [.string(member), .integer(Self.leaseMilliseconds)] + leases.map { .integer($0.maximum - $0.reserve) }
        let reply = try await redis.run(
            Self.acquireScript, keys: leases.map { set($0.what, $0.subject) }, arguments: arguments)
        guard let index = reply.integer, index <= leases.count else {
            throw RedisError(.unexpectedReply, "The script of the leases returned something else.")
        }
        return index == 0 ? nil : LimitRefusal(leases[Int(index) - 1])
    }

    package func renew(_ leases: [HeldLease]) async throws {
        for start in stride(from: 0, to: leases.count, by: Self.renewedAtOnce) {
            let part = leases[start..<min(leases.count, start + Self.renewedAtOnce)]
            var keys: [String] = []
            var places: [String: Int] = [:]
            var arguments: [RedisArgument] = [.integer(Self.leaseMilliseconds)]
            for lease in part {
                let key = set(lease.what, lease.subject)
                if places[key] == nil {
                    keys.append(key)
                    places[key] = keys.count
                }
                arguments += [.integer(places[key] ?? 0), .string(lease.member)]
            }
            _ = try await redis.run(Self.renewScript, keys: keys, arguments: arguments)
        }
    }

    package func release(_ leases: [HeldLease]) async throws {
        guard !leases.isEmpty else { return }
        _ = try await redis.pipeline(
            leases.map { RedisCommand("ZREM", .string(set($0.what, $0.subject)), .string($0.member)) })
    }

    package func isHeld(_ lease: HeldLease) async throws -> Bool {
        try await redis.run(
            Self.heldScript, keys: [set(lease.what, lease.subject)], arguments: [.string(lease.member)]
        ).integer == 1
    }

    private static let clock =
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000 + math.floor(time[2] / 1000)
        """

    private static let acquireScript = RedisScript(
        clock + """

            for i, key in ipairs(KEYS) do
              redis.call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', now))
              if not redis.call('ZSCORE', key, ARGV[1]) and redis.call('ZCARD', key) >= tonumber(ARGV[2 + i]) then return i end
            end
            for i, key in ipairs(KEYS) do
              redis.call('ZADD', key, string.format('%.0f', now + ARGV[2]), ARGV[1])
              redis.call('PEXPIRE', key, ARGV[2] + 1000)
            end
            return 0
            """)

    private static let renewScript = RedisScript(
        clock + """

            local expiry = string.format('%.0f', now + ARGV[1])
            for i = 2, #ARGV, 2 do redis.call('ZADD', KEYS[tonumber(ARGV[i])], expiry, ARGV[i + 1]) end
            for i, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[1] + 1000) end
            return 0
            """)

    private static let heldScript = RedisScript(
        clock + """

            local expiry = redis.call('ZSCORE', KEYS[1], ARGV[1])
            if expiry and tonumber(expiry) > now then return 1 end
            return 0
            """)
}
