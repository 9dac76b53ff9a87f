import PostgresClient

/// The statements of a batch. Every one finds its rows by key, and none takes anything back: what is stored moves forward only.
///
/// Rows are changed by `ON CONFLICT` rather than by a join with the input: it always uses the table's key, while the plan of a join, made when
/// a month has few rows and kept when it has many, may read the whole month for each row of the batch.
enum ArchiveStatements {
    /// One archiver at a time works on a session: makes the rows of those that have none and locks all, everywhere in the same order.
    /// `WHERE false` locks what is there and leaves it as it is.
    static let lockConversations = BulkStatement<ArchivedSession>([
        .date("opened_on") { $0.key.day }, .text("session") { $0.key.session }, .text("tenant") { $0.tenant },
    ]) { input in
        """
        INSERT INTO parley.conversations (opened_on, session, tenant)
        SELECT opened_on, session, tenant FROM \(input) ORDER BY opened_on, session
        ON CONFLICT (opened_on, session) DO UPDATE SET last_event_at = excluded.last_event_at WHERE false
        """
    }

    /// What was stored before of the replies that the batch touches.
    static let storedReplies = BulkStatement<ReplyKey>([
        .date("opened_on") { $0.session.day }, .text("session") { $0.session.session }, .integer("reply") { $0.reply },
    ]) { input in
        """
        SELECT e.opened_on::text AS opened_on, e.session, e.tenant, e.fence, e.sequence, e.payload
        FROM \(input) JOIN parley.events e ON e.opened_on = new.opened_on AND e.session = new.session AND e.reply = new.reply::integer
        WHERE e.reply IS NOT NULL
        """
    }

    /// Stores events. Answers with one row that holds the number stored, and, only where some were there already, one row for
    /// each that was stored: normally nothing is sent back for thousands of events.
    static let insertEvents = BulkStatement<ArchivedEvent>([
        .date("opened_on") { $0.key.session.day }, .text("session") { $0.key.session.session },
        .integer("fence") { $0.key.fence }, .integer("sequence") { $0.key.sequence }, .text("tenant") { $0.tenant },
        .text("kind") { $0.event.kind }, .integer("reply") { $0.reply?.reply }, .time("at") { $0.wallClock },
        .bytes("payload") { $0.payload },
    ]) { input in
        """
        WITH stored AS (
            INSERT INTO parley.events (opened_on, session, fence, sequence, tenant, kind, reply, at, payload)
            SELECT opened_on, session, fence, sequence, tenant, kind, reply::integer, at, payload FROM \(input)
            ON CONFLICT DO NOTHING
            RETURNING opened_on, session, fence, sequence
        )
        SELECT count(*) AS stored, NULL::text AS opened_on, NULL::text AS session, NULL::bigint AS fence, NULL::bigint AS sequence
        FROM stored
        UNION ALL
        SELECT NULL, opened_on::text, session, fence, sequence FROM stored
        WHERE (SELECT count(*) FROM stored) < cardinality($2::text[])
        """
    }

    /// The rows are there since `lockConversations`.
    static let updateConversations = BulkStatement<ConversationChange>.insert(
        into: "parley.conversations",
        [
            .date("opened_on") { $0.key.day }, .text("session") { $0.key.session }, .text("tenant") { $0.tenant },
            .integer("opened_fence") { $0.opening?.position.fence },
            .integer("opened_sequence") { $0.opening?.position.sequence },
            .text("region") { $0.opening?.value.region }, .text("backend") { $0.opening?.value.backend },
            .text("direction") { $0.opening?.value.direction }, .json("parameters") { $0.opening?.value.parameters },
            .integer("retention_days") { $0.opening?.value.retentionDays }, .time("opened_at") { $0.opening?.value.at },
            .integer("claimed_fence") { $0.worker?.position.fence },
            .integer("claimed_sequence") { $0.worker?.position.sequence },
            .text("worker") { $0.worker?.value },
            .integer("agent_fence") { $0.agent?.position.fence },
            .integer("agent_sequence") { $0.agent?.position.sequence },
            .text("agent") { $0.agent?.value.name }, .text("agent_hash") { $0.agent?.value.hash },
            .integer("closed_fence") { $0.closing?.position.fence },
            .integer("closed_sequence") { $0.closing?.position.sequence },
            .time("closed_at") { $0.closing?.value.at }, .text("close_reason") { $0.closing?.value.reason },
            .text("close_detail") { $0.closing?.value.detail }, .text("closed_by") { $0.closing?.value.by },
            .integer("claims") { $0.claims }, .integer("user_turns") { $0.userTurns },
            .integer("agent_turns") { $0.agentTurns }, .integer("tool_calls") { $0.toolCalls },
            .integer("interruptions") { $0.interruptions }, .integer("errors") { $0.errors },
            .integer("events") { $0.events },
            .time("first_spoke_at") { $0.firstSpokeAt }, .time("last_event_at") { $0.lastEventAt },
            .integer("duration_ms") { $0.duration },
        ],
        onConflict: """
            (opened_on, session) DO UPDATE SET
                \(conversationGroups.joined(separator: ",\n    ")),
                \(conversationCounts.joined(separator: ", ")),
                first_spoke_at = least(conversations.first_spoke_at, excluded.first_spoke_at),
                last_event_at = greatest(conversations.last_event_at, excluded.last_event_at),
                duration_ms = greatest(conversations.duration_ms, excluded.duration_ms)
            """)

    private static let conversationGroups = [
        forward("opened", ["region", "backend", "direction", "parameters", "retention_days", "opened_at"], in: "conversations"),
        forward("claimed", ["worker"], in: "conversations"),
        forward("agent", ["agent", "agent_hash"], in: "conversations"),
        forward("closed", ["closed_at", "close_reason", "close_detail", "closed_by"], in: "conversations"),
    ]

    private static let conversationCounts =
        ["claims", "user_turns", "agent_turns", "tool_calls", "interruptions", "errors", "events"]
        .map { "\($0) = conversations.\($0) + excluded.\($0)" }

    static let upsertTurns = BulkStatement<TurnRow>.insert(
        into: "parley.turns",
        [
            .date("opened_on") { $0.key.session.day }, .text("session") { $0.key.session.session },
            .integer("fence") { $0.key.fence }, .integer("sequence") { $0.key.sequence }, .text("tenant") { $0.tenant },
            .integer("leg") { $0.leg }, .text("role") { $0.role.rawValue }, .integer("number") { $0.number },
            .integer("answers") { $0.answers }, .text("kind") { $0.kind }, .time("at") { $0.at },
            .integer("started_ms") { $0.started }, .integer("ended_ms") { $0.ended }, .text("text") { $0.text },
            .text("heard") { $0.heard }, .integer("heard_ms") { $0.heardMilliseconds },
            .integer("heard_error_ms") { $0.heardError }, .flag("interrupted") { $0.interrupted },
            .flag("complete") { $0.complete }, .number("confidence") { $0.confidence },
            .text("language") { $0.language },
            .text("ended_by") { $0.endedBy }, .text("provider") { $0.provider }, .text("voice") { $0.voice },
            .integer("applied_fence") { $0.applied.fence }, .integer("applied_sequence") { $0.applied.sequence },
        ],
        // Equal is right as well: an older event that came late changes the row without being its newest.
        onConflict: """
            (opened_on, session, fence, sequence) DO UPDATE SET
                ended_ms = excluded.ended_ms, text = excluded.text, heard = excluded.heard, heard_ms = excluded.heard_ms,
                heard_error_ms = excluded.heard_error_ms, interrupted = excluded.interrupted, complete = excluded.complete,
                applied_fence = excluded.applied_fence, applied_sequence = excluded.applied_sequence
            WHERE (excluded.applied_fence, excluded.applied_sequence) >= (turns.applied_fence, turns.applied_sequence)
            """)

    static let upsertToolCalls = BulkStatement<ToolCallChange>.insert(
        into: "parley.tool_calls",
        [
            .date("opened_on") { $0.session.day }, .text("session") { $0.session.session }, .text("call") { $0.call },
            .text("tenant") { $0.tenant },
            .integer("called_fence") { $0.called?.position.fence },
            .integer("called_sequence") { $0.called?.position.sequence },
            .text("name") { $0.called?.value.name }, .text("arguments") { $0.called?.value.arguments },
            .integer("reply") { $0.called?.value.reply }, .flag("idempotent") { $0.called?.value.idempotent },
            .flag("side_effects") { $0.called?.value.sideEffects }, .time("called_at") { $0.called?.value.at },
            .integer("returned_fence") { $0.returned?.position.fence },
            .integer("returned_sequence") { $0.returned?.position.sequence },
            .text("outcome") { $0.returned?.value.outcome }, .text("content") { $0.returned?.value.content },
            .integer("duration_ms") { $0.returned?.value.duration }, .time("returned_at") { $0.returned?.value.at },
        ],
        onConflict: """
            (opened_on, session, call) DO UPDATE SET
                \(forward("called", ["name", "arguments", "reply", "idempotent", "side_effects", "called_at"], in: "tool_calls")),
                \(forward("returned", ["outcome", "content", "duration_ms", "returned_at"], in: "tool_calls"))
            """)

    static let upsertLeads = BulkStatement<LeadRow>.insert(
        into: "parley.lead_records",
        [
            .date("opened_on") { $0.key.session.day }, .text("session") { $0.key.session.session },
            .text("record") { $0.record }, .text("slot") { $0.slot }, .text("tenant") { $0.tenant },
            .text("value") { $0.value }, .text("words") { $0.words }, .integer("turn") { $0.turn },
            .text("source") { $0.source }, .flag("refused") { $0.refused }, .time("at") { $0.at },
            .integer("fence") { $0.key.fence }, .integer("sequence") { $0.key.sequence },
        ],
        onConflict: """
            (opened_on, session, record, slot) DO UPDATE SET
                value = excluded.value, words = excluded.words, turn = excluded.turn, source = excluded.source,
                refused = excluded.refused, at = excluded.at, fence = excluded.fence, sequence = excluded.sequence
            WHERE (excluded.fence, excluded.sequence) > (lead_records.fence, lead_records.sequence)
            """)

    static let insertUsage = BulkStatement<UsageRow>.insert(
        into: "parley.usage",
        [
            .date("opened_on") { $0.key.session.day }, .text("session") { $0.key.session.session },
            .integer("fence") { $0.key.fence }, .integer("sequence") { $0.key.sequence }, .text("tenant") { $0.tenant },
            .text("kind") { $0.kind }, .text("provider") { $0.provider }, .number("audio_seconds") { $0.audioSeconds },
            .integer("input_tokens") { $0.inputTokens }, .integer("cached_input_tokens") { $0.cachedInputTokens },
            .integer("output_tokens") { $0.outputTokens }, .integer("characters") { $0.characters },
            .flag("wasted") { $0.wasted }, .time("at") { $0.at },
        ])

    static let insertLatency = BulkStatement<LatencyRow>.insert(
        into: "parley.latency_samples",
        [
            .date("opened_on") { $0.key.session.day }, .text("session") { $0.key.session.session },
            .integer("fence") { $0.key.fence }, .integer("sequence") { $0.key.sequence }, .text("part") { $0.part },
            .text("tenant") { $0.tenant }, .integer("turn") { $0.turn }, .integer("reply") { $0.reply },
            .number("ms") { $0.milliseconds }, .flag("speculative") { $0.speculative },
            .text("interruption") { $0.interruption }, .time("at") { $0.at },
        ])

    static let insertDeadLetters = BulkStatement<DeadLetter>.insert(
        into: "parley.dead_letters",
        [
            .text("entry") { $0.entry }, .text("stream") { $0.stream }, .text("session") { $0.session },
            .text("tenant") { $0.tenant }, .integer("fence") { $0.fence }, .integer("sequence") { $0.sequence },
            .text("reason") { $0.reason }, .json("fields") { $0.fields }, .bytes("payload") { $0.payload },
        ])

    /// Columns that follow the newest event of a kind, named by `<group>_fence` and `<group>_sequence`.
    private static func forward(_ group: String, _ columns: [String], in old: String) -> String {
        let names = ["\(group)_fence", "\(group)_sequence"] + columns
        let isNewer = """
            excluded.\(group)_fence IS NOT NULL AND (\(old).\(group)_fence IS NULL
                OR (excluded.\(group)_fence, excluded.\(group)_sequence) > (\(old).\(group)_fence, \(old).\(group)_sequence))
            """
        return names.map { "\($0) = CASE WHEN \(isNewer) THEN excluded.\($0) ELSE \(old).\($0) END" }.joined(
            separator: ", ")
    }
}
