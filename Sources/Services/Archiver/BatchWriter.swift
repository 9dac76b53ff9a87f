import Foundation
import PostgresClient
import SessionLog

/// Writes batches: one transaction each, events and everything derived from them together.
///
/// A batch may be written any number of times, by any number of archivers, in any order: events are stored once, and only events
/// that were new change the other tables.
struct BatchWriter: Sendable {
    private let pool: PostgresPool

    /// What became of a batch.
    struct Outcome: Sendable, Equatable {
        /// Events that were new.
        var stored = 0
        /// Events that were in the tables already, or twice in the batch.
        var duplicates = 0
        /// Entries put aside.
        var deadLetters = 0

        static func + (left: Outcome, right: Outcome) -> Outcome {
            Outcome(
                stored: left.stored + right.stored, duplicates: left.duplicates + right.duplicates,
                deadLetters: left.deadLetters + right.deadLetters)
        }
    }

    init(_ pool: PostgresPool) {
        self.pool = pool
    }

    /// Stores the entries. When it returns, all of them are committed, as rows or as dead letters.
    ///
    /// - Throws: when PostgreSQL is away, or lacks tables; nothing that was not committed is lost, the batch can be written again.
    func write(_ entries: [ArchiveEntry]) async throws -> Outcome {
        guard !entries.isEmpty else { return Outcome() }
        do {
            return try await writeTogether(entries)
        } catch let error as PostgresError where error.isAboutData {
            guard entries.count > 1 else { return try await putAside(entries, reason: error.description) }
            // One entry holds what the server refuses: halving finds it in few steps, and the others get through.
            let middle = entries.count / 2
            return try await write(Array(entries[..<middle])) + write(Array(entries[middle...]))
        }
    }

    private func putAside(_ entries: [ArchiveEntry], reason: String) async throws -> Outcome {
        let letters = entries.map { DeadLetter($0, reason: reason) }
        _ = try await pool.withConnection { connection in
            try await connection.pipeline([ArchiveStatements.insertDeadLetters.statement(letters)].compactMap(\.self))
        }
        return Outcome(deadLetters: letters.count)
    }

    private func writeTogether(_ entries: [ArchiveEntry]) async throws -> Outcome {
        let batch = Batch(entries)
        return try await pool.withConnection { connection in
            do {
                return try await write(batch, connection)
            } catch {
                await connection.rollBack()
                throw error
            }
        }
    }

    /// Two round trips: locks, what is known of the replies, and the events; then the rows that the new events change.
    private func write(_ batch: Batch, _ connection: PostgresConnection) async throws -> Outcome {
        let first: [PostgresStatement?] = [
            PostgresStatement("BEGIN"),
            ArchiveStatements.lockConversations.statement(batch.sessions),
            ArchiveStatements.storedReplies.statement(batch.replies),
            ArchiveStatements.insertEvents.statement(batch.events),
            ArchiveStatements.insertDeadLetters.statement(batch.deadLetters),
        ]
        let sent = first.compactMap(\.self)
        let answers = try await connection.pipeline(sent)
        var known: [ArchivedEvent] = []
        var new: [ArchivedEvent] = []
        for (statement, rows) in zip(sent, answers) {
            if statement.sql == ArchiveStatements.storedReplies.sql { known = try rows.map(Self.storedEvent) }
            if statement.sql == ArchiveStatements.insertEvents.sql { new = try batch.newEvents(rows) }
        }
        let changes = Projection.changes(new: new, replies: batch.replyEvents(new: new, known: known))
        let committed = try await connection.pipeline(Self.statements(changes))
        guard committed.last?.tag == "COMMIT" else {
            throw PostgresError(.connectionLost, "the batch was not committed")
        }
        return Outcome(
            stored: new.count, duplicates: batch.eventEntries - new.count, deadLetters: batch.deadLetters.count)
    }

    private static func statements(_ changes: RowChanges) -> [PostgresStatement] {
        let statements: [PostgresStatement?] = [
            ArchiveStatements.updateConversations.statement(changes.conversations),
            ArchiveStatements.upsertTurns.statement(changes.turns),
            ArchiveStatements.upsertToolCalls.statement(changes.toolCalls),
            ArchiveStatements.upsertLeads.statement(changes.leads),
            ArchiveStatements.insertUsage.statement(changes.usage),
            ArchiveStatements.insertLatency.statement(changes.latency),
            PostgresStatement("COMMIT"),
        ]
        return statements.compactMap(\.self)
    }

    private static func storedEvent(_ row: PostgresRow) throws -> ArchivedEvent {
        let payload: [UInt8] = try row.decode("payload")
        return ArchivedEvent(
            key: try key(row), tenant: try row.decode("tenant"), event: try Event(stored: Data(payload)),
            payload: payload)
    }

    fileprivate static func key(_ row: PostgresRow) throws -> EventKey {
        EventKey(
            session: SessionKey(day: try row.decode("opened_on"), session: try row.decode("session")),
            fence: try row.decode("fence"), sequence: try row.decode("sequence"))
    }
}

/// A batch sorted out.
private struct Batch {
    /// Each event once, in the order of the tables' keys.
    let events: [ArchivedEvent]
    /// Entries that held an event, repetitions included.
    let eventEntries: Int
    let deadLetters: [DeadLetter]
    /// In the order in which all archivers lock.
    let sessions: [ArchivedSession]
    let replies: [ReplyKey]

    init(_ entries: [ArchiveEntry]) {
        var events: [SessionKey: [ArchivedEvent]] = [:]
        var deadLetters: [DeadLetter] = []
        for entry in entries {
            switch entry.content {
            case .event(let event): events[event.key.session, default: []].append(event)
            case .garbage(let reason): deadLetters.append(DeadLetter(entry, reason: reason))
            }
        }
        self.deadLetters = deadLetters
        eventEntries = entries.count - deadLetters.count
        let bySession = events.sorted { $0.key < $1.key }
        self.events = bySession.flatMap { Self.inOrder($0.value) }
        sessions = bySession.map { ArchivedSession(key: $0.key, tenant: $0.value[0].tenant) }
        replies = Set(self.events.compactMap(\.reply)).sorted()
    }

    /// The events of a session by their place in its log, each once.
    private static func inOrder(_ events: [ArchivedEvent]) -> [ArchivedEvent] {
        var unique: [ArchivedEvent] = []
        for event in events.sorted(by: { $0.key.position < $1.key.position })
        where unique.last?.key.position != event.key.position { unique.append(event) }
        return unique
    }

    /// The events that the answer of `insertEvents` says were stored.
    func newEvents(_ rows: PostgresRows) throws -> [ArchivedEvent] {
        guard let total: Int = try rows.first?.decode("stored") else { return [] }
        if total == events.count { return events }
        let stored = Set(try rows.dropFirst().map(BatchWriter.key))
        return events.filter { stored.contains($0.key) }
    }

    /// All events of the replies that new events shape.
    func replyEvents(new: [ArchivedEvent], known: [ArchivedEvent]) -> [ReplyKey: [ArchivedEvent]] {
        var events: [ReplyKey: [ArchivedEvent]] = [:]
        for event in new {
            if let reply = event.reply { events[reply, default: []].append(event) }
        }
        for event in known {
            if let reply = event.reply, events[reply] != nil { events[reply]?.append(event) }
        }
        return events
    }
}

extension PostgresError {
    /// The server refuses what a row holds (classes 22 and 23), or it cannot even be sent: trying again changes nothing.
    fileprivate var isAboutData: Bool {
        switch code {
        case .encoding: true
        case .rejected: sqlState.map { ["22", "23"].contains($0.rawValue.prefix(2)) } ?? false
        default: false
        }
    }
}
