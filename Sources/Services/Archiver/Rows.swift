// What events change in the tables, as values. Times are Unix milliseconds unless a name says otherwise.

/// A column group that follows the newest event of its kind: an older one never overwrites it.
struct Newest<Value: Sendable>: Sendable {
    let position: LogPosition
    let value: Value

    /// The newer of two.
    static func merge(_ old: Newest?, _ new: Newest) -> Newest {
        old.map { $0.position > new.position ? $0 : new } ?? new
    }
}

/// What a batch adds to one row of `conversations`.
struct ConversationChange: Sendable {
    struct Opening: Sendable {
        let region, backend, direction, parameters: String?
        /// Nil: as long as the database keeps months.
        let retentionDays: Int64?
        let at: Int64
    }

    struct Closing: Sendable {
        let at: Int64
        let reason: String
        let detail, by: String?
    }

    struct Agent: Sendable {
        let name, hash: String?
    }

    let key: SessionKey
    let tenant: String
    var opening: Newest<Opening>?
    var worker: Newest<String>?
    var agent: Newest<Agent>?
    var closing: Newest<Closing>?
    // Counts of events that are new to the tables, so that adding them is done once.
    var claims: Int64 = 0
    var userTurns: Int64 = 0
    var agentTurns: Int64 = 0
    var toolCalls: Int64 = 0
    var interruptions: Int64 = 0
    var errors: Int64 = 0
    var events: Int64 = 0
    var firstSpokeAt: Int64?
    var lastEventAt: Int64 = 0
    /// Session time reached, in milliseconds.
    var duration: Int64 = 0

    init(key: SessionKey, tenant: String) {
        self.key = key
        self.tenant = tenant
    }
}

/// A row of `turns`.
struct TurnRow: Sendable {
    enum Role: String, Sendable { case user, agent }

    let key: EventKey
    let tenant: String
    let leg: Int64
    let role: Role
    let number: Int64
    var answers: Int64?
    let kind: String
    let at: Int64
    /// Session time in milliseconds.
    let started: Int64
    var ended: Int64?
    var text: String
    var heard: String?
    var heardMilliseconds: Int64?
    var heardError: Int64?
    var interrupted = false
    var complete = false
    var confidence: Double?
    var language: String?
    var endedBy: String?
    var provider: String?
    var voice: String?
    /// Newest event that the row takes account of.
    var applied: LogPosition
}

/// What a batch knows of one row of `tool_calls`.
struct ToolCallChange: Sendable {
    struct Call: Sendable {
        let name, arguments: String
        let reply: Int64
        let idempotent, sideEffects: Bool
        let at: Int64
    }

    struct Return: Sendable {
        let outcome, content: String
        let duration: Int64
        let at: Int64
    }

    let session: SessionKey
    let call: String
    let tenant: String
    var called: Newest<Call>?
    var returned: Newest<Return>?
}

/// A row of `lead_records`.
struct LeadRow: Sendable {
    let key: EventKey
    let tenant: String
    let record, slot, value, words, source: String
    let turn: Int64?
    let refused: Bool
    let at: Int64
}

/// A row of `usage`.
struct UsageRow: Sendable {
    let key: EventKey
    let tenant: String
    let kind, provider: String
    let audioSeconds: Double
    let inputTokens, cachedInputTokens, outputTokens, characters: Int64
    let wasted: Bool
    let at: Int64
}

/// A row of `latency_samples`.
struct LatencyRow: Sendable {
    let key: EventKey
    let tenant: String
    let part: String
    let turn, reply: Int64
    let milliseconds: Double
    let speculative: Bool
    let interruption: String?
    let at: Int64
}

/// Everything that a batch changes beside `events`.
struct RowChanges: Sendable {
    /// By session, in an order that all archivers share, so that they cannot wait for each other.
    var conversations: [ConversationChange] = []
    var turns: [TurnRow] = []
    var toolCalls: [ToolCallChange] = []
    var leads: [LeadRow] = []
    var usage: [UsageRow] = []
    var latency: [LatencyRow] = []
}
