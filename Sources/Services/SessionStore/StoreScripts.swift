import RedisClient

/// The Lua scripts by which hot session state changes. The fields of a header that every append and renewal reads are written first, since Redis
/// looks for a field from the beginning.
///
/// Numbers in Lua are doubles: fences (milliseconds since 1970) and sequences are far below 2^53 and exact.
enum StoreScripts {
    static let all = [open, restore, claim, append, renew, recordCommand, answerCommand]

    private static let now = """
        local t = redis.call('TIME')
        local now = t[1] * 1000 + math.floor(t[2] / 1000)
        local function int(x) return string.format('%.0f', x) end

        """

    /// KEYS header, log, leases, archive, idempotency. ARGV tenant, session, agent, backend, event, version, life of the session,
    /// grace until the first claim, whether there is an idempotency key.
    /// Returns {1, session} for a new session, {0, session} for one that the key opened before.
    static let open = RedisScript(
        now + """
            if ARGV[9] == '1' then
              local existing = redis.call('GET', KEYS[5])
              if existing then return {0, existing} end
              redis.call('SET', KEYS[5], ARGV[2], 'PX', ARGV[7])
            end
            redis.call('HSET', KEYS[1], 'next', 2, 'fence', 1, 'last_fence', 1, 'status', 'open', 'version', ARGV[6], 'tenant', ARGV[1],
              'owner', '', 'address', '', 'backend', ARGV[4], 'agent', ARGV[3])
            redis.call('XADD', KEYS[4], '*', 'session', ARGV[2], 'fence', 1, 'sequence', 1, 'tenant', ARGV[1], 'event', ARGV[5])
            redis.call('XADD', KEYS[2], '1-1', 'event', ARGV[5])
            redis.call('ZADD', KEYS[3], int(now + ARGV[8]), ARGV[2])
            redis.call('PEXPIRE', KEYS[1], ARGV[7])
            redis.call('PEXPIRE', KEYS[2], ARGV[7])
            return {1, ARGV[2]}
            """)

    /// A session that Redis has lost, from its first event, for its owner; the rest of the log follows by `append`.
    ///
    /// KEYS header, log, leases, archive. ARGV tenant, session, agent, backend, event, version, life of the session, lease, worker, fence,
    /// restorable age. Returns 1 when the session was restored, 2 when it is there, 0 when it may not be restored.
    ///
    /// A Redis that came back without its last second, or a replica that lagged when it was promoted, does not know a session that was opened in
    /// that second, while its owner talks. The owner's fence is the time of its claim by Redis's clock: only a recent one may restore. That is
    /// safe: what was closed keeps its header for longer than this age, so that it is not missing here; a claimant that this Redis has
    /// forgotten as well has a higher fence, which the next append or renewal adopts; and what comes twice to the archive changes nothing.
    static let restore = RedisScript(
        now + """
            if redis.call('EXISTS', KEYS[1]) == 1 then return 2 end
            if math.abs(now - tonumber(ARGV[10])) >= tonumber(ARGV[11]) then return 0 end
            redis.call('DEL', KEYS[2])
            redis.call('HSET', KEYS[1], 'next', 2, 'fence', ARGV[10], 'last_fence', 1, 'status', 'open', 'version', ARGV[6],
              'tenant', ARGV[1], 'owner', ARGV[9], 'address', '', 'backend', ARGV[4], 'agent', ARGV[3])
            redis.call('XADD', KEYS[4], '*', 'session', ARGV[2], 'fence', 1, 'sequence', 1, 'tenant', ARGV[1], 'event', ARGV[5])
            redis.call('XADD', KEYS[2], '1-1', 'event', ARGV[5])
            redis.call('ZADD', KEYS[3], int(now + ARGV[8]), ARGV[2])
            redis.call('PEXPIRE', KEYS[1], ARGV[7])
            redis.call('PEXPIRE', KEYS[2], ARGV[7])
            return 1
            """)

    /// KEYS header, log, leases. ARGV tenant, session, worker, address, fence seen, highest fence, lease, reader version, life.
    /// Returns {'gone'}, {'closed'}, {'taken', fence}, {'newer', version} or {'claimed', fence, header, log}.
    static let claim = RedisScript(
        now + """
            local h = redis.call('HMGET', KEYS[1], 'tenant', 'status', 'fence', 'version')
            if not h[1] or h[1] ~= ARGV[1] then return {'gone'} end
            if h[2] == 'closed' then return {'closed'} end
            if tonumber(h[3]) ~= tonumber(ARGV[5]) then return {'taken', h[3]} end
            if tonumber(h[4]) > tonumber(ARGV[8]) then return {'newer', h[4]} end
            local fence = int(math.max(tonumber(h[3]), tonumber(ARGV[6]), now) + 1)
            redis.call('HSET', KEYS[1], 'fence', fence, 'owner', ARGV[3], 'address', ARGV[4])
            redis.call('ZADD', KEYS[3], int(now + ARGV[7]), ARGV[2])
            redis.call('PEXPIRE', KEYS[1], ARGV[9])
            redis.call('PEXPIRE', KEYS[2], ARGV[9])
            return {'claimed', fence, redis.call('HGETALL', KEYS[1]), redis.call('XRANGE', KEYS[2], '-', '+')}
            """)

    /// KEYS leases, then in any order the archive of each partition, header and log of each session. ARGV life after the close, restorable age,
    /// then per append: place of the header in KEYS (the log stands behind it), place of the archive, whether it is plain (all events have the owner's fence, none is empty), whether it closes, tenant, session, fence, first sequence, number of
    /// events, first sequence behind them, version, worker, then per event: its fence unless the append is plain, its bytes (empty: dropped by
    /// its owner). Returns per append: outcome, next sequence.
    ///
    /// An event is stored when it follows the last one: the same fence and the next sequence, or a higher fence and no gap. What is stored
    /// already is passed over. The archive is written first: if memory ends between the two, an entry there is harmless, a missing one is not.
    ///
    /// Nearly every append is plain, by the known owner, and follows what is there: for that it is enough to compare texts.
    static let append = RedisScript(
        """
        local results, call = {}, redis.call

        local function int(x) return string.format('%.0f', x) end

        local function store(a, fence, sequence, bytes)
          call('XADD', KEYS[tonumber(ARGV[a + 1])], '*', 'session', ARGV[a + 5], 'fence', fence, 'sequence', sequence, 'tenant', ARGV[a + 4],
            'event', bytes)
          local added = redis.pcall('XADD', KEYS[ARGV[a] + 1], fence .. '-' .. sequence, 'event', bytes)
          if type(added) == 'table' and added.err and not string.find(added.err, 'equal or smaller') then error(added.err) end
        end

        -- Returns the outcome and the next sequence.
        local function append(header, a, h, isPlain)
          local fence, first, count, version = tonumber(ARGV[a + 6]), tonumber(ARGV[a + 7]), tonumber(ARGV[a + 8]), tonumber(ARGV[a + 10])
          if not h[1] and first > 1 then
            -- Its owner may restore it, if it has the log from the beginning.
            local t = call('TIME')
            if math.abs(t[1] * 1000 + math.floor(t[2] / 1000) - fence) < tonumber(ARGV[2]) then return 'behind', 1 end
          end
          if not h[1] or h[1] ~= ARGV[a + 4] then return 'gone', 0 end
          if fence < tonumber(h[2]) then return 'fenced', 0 end
          local last, next = tonumber(h[4]), tonumber(h[5])
          if h[3] == 'closed' then return first + count > next and 'gone' or 'stored', next end
          if fence > tonumber(h[2]) then call('HSET', header, 'fence', int(fence), 'owner', ARGV[a + 11]) end
          local outcome, before = 'stored', next
          for i = 0, count - 1 do
            local e = a + 12 + (isPlain and i or 2 * i)
            local f, bytes = ARGV[isPlain and a + 6 or e], ARGV[isPlain and e or e + 1]
            local sequence = first + i
            if tonumber(f) > last or tonumber(f) == last and sequence >= next then
              if sequence > next then
                outcome = 'behind'
                break
              end
              if #bytes > 0 then store(a, f, int(sequence), bytes) end
              last, next = tonumber(f), sequence + 1
            end
          end
          if next ~= before or last ~= tonumber(h[4]) then
            call('HSET', header, 'next', int(next), 'last_fence', int(last))
            if version > tonumber(h[6]) then call('HSET', header, 'version', ARGV[a + 10]) end
          end
          return outcome, next
        end

        local a, ends = 3, #ARGV
        while a <= ends do
          local header, isPlain, count = KEYS[tonumber(ARGV[a])], ARGV[a + 2] == '1', tonumber(ARGV[a + 8])
          local fence, first, after = ARGV[a + 6], ARGV[a + 7], ARGV[a + 9]
          local h = call('HMGET', header, 'tenant', 'fence', 'status', 'last_fence', 'next', 'version')
          local outcome, next = 'stored', after
          if isPlain and h[2] == fence and h[4] == fence and h[5] == first and h[6] == ARGV[a + 10] and h[1] == ARGV[a + 4]
            and h[3] == 'open' then
            store(a, fence, first, ARGV[a + 12])
            for i = 1, count - 1 do store(a, fence, int(first + i), ARGV[a + 12 + i]) end
            call('HSET', header, 'next', after)
          else
            outcome, next = append(header, a, h, isPlain)
            next = int(next)
          end
          if ARGV[a + 3] == '1' and outcome == 'stored' and h[3] == 'open' then
            call('HSET', header, 'status', 'closed')
            call('ZREM', KEYS[1], ARGV[a + 5])
            call('PEXPIRE', header, ARGV[1])
            call('PEXPIRE', KEYS[ARGV[a] + 1], ARGV[1])
          end
          results[#results + 1] = outcome
          results[#results + 1] = next
          a = a + 12 + (isPlain and count or 2 * count)
        end
        return results
        """)

    /// KEYS leases, then per session: header, log. ARGV worker, address, lease, life, restorable age, then per session: session, tenant,
    /// fence, next sequence as its owner knows it (0: it does not say), whether to prolong the keys' life.
    ///
    /// Returns {the sessions lost, places and next sequences of those whose log has lost events}: a place is counted from 1. A session that is
    /// closed is lost to an owner that does not know its end.
    static let renew = RedisScript(
        now + """
            local lost, behind, leases = {}, {}, {}
            local ends = int(now + ARGV[3])
            for i = 1, (#KEYS - 1) / 2 do
              local header, log, a = KEYS[2 * i], KEYS[2 * i + 1], 1 + 5 * i
              local session, fence = ARGV[a], tonumber(ARGV[a + 2])
              local h = redis.call('HMGET', header, 'tenant', 'fence', 'status', 'owner', 'address', 'next')
              if not h[1] then
                if math.abs(now - fence) < tonumber(ARGV[5]) then
                  behind[#behind + 1] = i
                  behind[#behind + 1] = 1
                else
                  lost[#lost + 1] = session
                end
              elseif h[1] ~= ARGV[a + 1] or fence < tonumber(h[2]) then
                lost[#lost + 1] = session
              elseif h[3] == 'closed' then
                if fence > tonumber(h[2]) or h[6] ~= ARGV[a + 3] then lost[#lost + 1] = session end
              else
                if fence > tonumber(h[2]) or h[4] ~= ARGV[1] or h[5] ~= ARGV[2] then
                  redis.call('HSET', header, 'fence', int(fence), 'owner', ARGV[1], 'address', ARGV[2])
                end
                if h[6] ~= ARGV[a + 3] and tonumber(h[6]) < tonumber(ARGV[a + 3]) then
                  behind[#behind + 1] = i
                  behind[#behind + 1] = tonumber(h[6])
                end
                leases[#leases + 1] = ends
                leases[#leases + 1] = session
                if ARGV[a + 4] == '1' then
                  redis.call('PEXPIRE', header, ARGV[4])
                  redis.call('PEXPIRE', log, ARGV[4])
                end
              end
            end
            if #leases > 0 then redis.call('ZADD', KEYS[1], unpack(leases)) end
            return {lost, behind}
            """)

    /// KEYS header, command. ARGV tenant, kind, payload, life.
    /// Returns {'gone'}, {'new', owner}, {'known', owner, outcome or false, detail or false}.
    static let recordCommand = RedisScript(
        """
        local h = redis.call('HMGET', KEYS[1], 'tenant', 'status', 'owner')
        if not h[1] or h[1] ~= ARGV[1] then return {'gone'} end
        local c = redis.call('HMGET', KEYS[2], 'kind', 'outcome', 'detail')
        if c[1] then return {'known', h[3], c[2], c[3]} end
        if h[2] == 'closed' then return {'gone'} end
        redis.call('HSET', KEYS[2], 'kind', ARGV[2], 'payload', ARGV[3])
        redis.call('PEXPIRE', KEYS[2], ARGV[4])
        return {'new', h[3]}
        """)

    /// KEYS command. ARGV outcome, detail. The first answer counts.
    static let answerCommand = RedisScript(
        """
        if redis.call('HEXISTS', KEYS[1], 'kind') == 0 then return 0 end
        if redis.call('HSETNX', KEYS[1], 'outcome', ARGV[1]) == 1 then redis.call('HSET', KEYS[1], 'detail', ARGV[2]) end
        return 1
        """)
}
