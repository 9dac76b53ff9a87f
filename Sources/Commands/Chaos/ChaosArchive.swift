import Foundation
import NIOCore
import PostgresClient
import SessionLog

/// Wall clock and monotonic clock read at the same moment: what services write as the time of day is placed on the
/// callers' clock.
struct ChaosClock: Sendable {
    private let monotonic = Int64(NIODeadline.now().uptimeNanoseconds)
    private let wall = Date().timeIntervalSince1970

    static var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }

    /// Monotonic nanoseconds of a Unix time in milliseconds.
    func monotonic(wallMilliseconds: Int64) -> Int64 {
        monotonic + wallMilliseconds * 1_000_000 - Int64(wall * 1_000_000_000)
    }
}

/// Reads the record of a run.
struct ChaosArchive {
    let pool: PostgresPool
    let clock: ChaosClock

    /// Waits until every session is closed and nothing more comes, or the time is over.
    func settle(seconds: Int) async {
        let end = ContinuousClock.now + .seconds(seconds)
        var last = ""
        while ContinuousClock.now < end {
            let state = try? await pool.query(
                """
                SELECT (SELECT count(*) FROM parley.events) AS events, \
                (SELECT count(*) FROM parley.conversations WHERE closed_at IS NULL) AS open
                """)
            let now = state?.first?.texts.map { $0 ?? "" }.joined(separator: "|") ?? ""
            if now == last, now.hasSuffix("|0") { return }
            last = now
            try? await Task.sleep(for: .seconds(2))
        }
    }

    func sessions() async throws -> [ChaosSession] {
        var sessions: [String: ChaosSession] = [:]
        for row in try await pool.query(
            """
            SELECT session, coalesce(parameters->>'caller', '') AS caller, closed_at IS NOT NULL AS closed, \
            coalesce(close_reason, '') AS reason FROM parley.conversations
            """)
        {
            let session: String = try row.decode("session")
            sessions[session] = ChaosSession(
                session: session, caller: try row.decode("caller"), isClosed: try row.decode("closed"),
                closeReason: try row.decode("reason"))
        }
        try await readTurns(&sessions)
        try await readEvents(&sessions)
        try await readTools(&sessions)
        return sessions.values.sorted { $0.caller < $1.caller }
    }

    private func readTurns(_ sessions: inout [String: ChaosSession]) async throws {
        for row in try await pool.query(
            "SELECT session, role, number, text, interrupted, complete FROM parley.turns ORDER BY session, fence, sequence"
        ) {
            let (session, number, text): (String, Int, String) = try (
                row.decode("session"), row.decode("number"), row.decode("text")
            )
            if try row.decode("role", as: String.self) == "user" {
                sessions[session]?.turns.append(.init(number: number, text: text))
            } else {
                sessions[session]?.replies.append(
                    .init(
                        number: number, text: text, isInterrupted: try row.decode("interrupted"),
                        isComplete: try row.decode("complete")))
            }
        }
    }

    private func readEvents(_ sessions: inout [String: ChaosSession]) async throws {
        for row in try await pool.query(
            "SELECT session, fence, sequence FROM parley.events ORDER BY session, sequence, fence")
        {
            let session: String = try row.decode("session")
            sessions[session]?.events.append(
                .init(fence: try row.decode("fence"), sequence: try row.decode("sequence")))
        }
        for row in try await pool.query(
            "SELECT session, encode(payload, 'base64') AS payload FROM parley.events WHERE kind = 'claimed' ORDER BY session, fence, sequence"
        ) {
            let (session, text): (String, String) = try (row.decode("session"), row.decode("payload"))
            guard let bytes = Data(base64Encoded: text, options: .ignoreUnknownCharacters),
                let event = try? Event(stored: bytes),
                case .claimed(let claimed) = event.body
            else { continue }
            sessions[session]?.claims.append(
                .init(
                    fence: Int64(clamping: event.fence), worker: claimed.worker,
                    at: clock.monotonic(wallMilliseconds: event.wallClockMs)))
        }
    }

    private func readTools(_ sessions: inout [String: ChaosSession]) async throws {
        for row in try await pool.query(
            "SELECT session, call, coalesce(name, '') AS name, outcome FROM parley.tool_calls")
        {
            let session: String = try row.decode("session")
            sessions[session]?.toolCalls.append(
                .init(
                    call: try row.decode("call"), name: try row.decode("name"),
                    outcome: try row.decodeIfPresent("outcome")))
        }
    }
}
