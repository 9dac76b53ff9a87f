import Dispatch
package import Logging
import Synchronization

/// One connection. Its libpq calls run on a queue of its own, never on the cooperative pool, so any number of connections
/// may wait for a slow server without stalling the program.
///
/// Calls are made one after another. A call that is cancelled or misses its deadline ends the connection's usefulness:
/// `isUsable` turns false and a pool replaces it.
package final class PostgresConnection: Sendable {
    private let queue: DispatchQueue
    private let wire: PostgresWire
    private let canceller: CancelHandle?
    private let clientTimeout: Duration
    private let condition: Mutex<Condition>

    private struct Condition {
        var isBroken = false
        var isClosed = false
    }

    /// The client gives up this much later than the server, so that normally the server's own, clearer error arrives.
    private static let clientGrace: Duration = .seconds(2)

    private init(queue: DispatchQueue, wire: PostgresWire, statementTimeout: Duration) {
        self.queue = queue
        self.wire = wire
        canceller = wire.makeCancelHandle()
        clientTimeout = statementTimeout + Self.clientGrace
        condition = Mutex(Condition())
    }

    /// Connects within `configuration.connectTimeout`.
    ///
    /// - Throws: `PostgresError` with code `unreachable`, naming the server.
    package static func connect(
        _ configuration: PostgresConfiguration, logger: Logger
    ) async throws -> PostgresConnection {
        let queue = DispatchQueue(label: "parley.postgres")
        return try await withCheckedThrowingContinuation { continuation in
            queue.async {
                continuation.resume(
                    with: Result {
                        let wire = try PostgresWire(configuration: configuration, notices: NoticeSink(logger: logger))
                        return PostgresConnection(
                            queue: queue, wire: wire, statementTimeout: configuration.statementTimeout)
                    })
            }
        }
    }

    /// Whether further calls may succeed.
    package var isUsable: Bool { condition.withLock { !$0.isBroken && !$0.isClosed } }

    /// One statement, prepared on first use.
    @discardableResult
    package func query(_ sql: String, _ parameters: [PostgresValue] = []) async throws -> PostgresRows {
        let results = try await pipeline([PostgresStatement(sql, parameters)])
        guard let first = results.first else { throw PostgresError(.connectionLost, "an answer is missing") }
        return first
    }

    /// All statements in one round trip, each prepared on first use; answers in order. They are one implicit transaction
    /// unless they hold BEGIN or COMMIT. The first error skips the rest and is thrown.
    @discardableResult
    package func pipeline(_ statements: [PostgresStatement]) async throws -> [PostgresRows] {
        guard !statements.isEmpty else { return [] }
        return try await perform { wire, deadline in try wire.pipeline(statements, deadline: deadline) }
    }

    /// Statements without parameters, separated by semicolons: migrations and settings.
    @discardableResult
    package func script(_ sql: String) async throws -> [PostgresRows] {
        try await perform { wire, deadline in try wire.script(sql, deadline: deadline) }
    }

    /// Commits when `body` returns and rolls back when it throws, also on cancellation.
    @discardableResult
    package func withTransaction<Value>(_ body: (PostgresConnection) async throws -> Value) async throws -> Value {
        try await query("BEGIN")
        do {
            let value = try await body(self)
            let answer = try await query("COMMIT")
            guard answer.tag == "COMMIT" else {
                throw PostgresError(.rejected, "the transaction was rolled back because a statement in it had failed")
            }
            return value
        } catch {
            await rollBack()
            throw error
        }
    }

    /// Leaves an open or failed transaction; a connection on which even that fails is not used again. Not cancellable.
    package func rollBack() async {
        guard isUsable else { return }
        do {
            _ = try await perform(isShielded: true) { wire, deadline in
                wire.isInTransaction ? try wire.script("ROLLBACK", deadline: deadline) : []
            }
        } catch {
            condition.withLock { $0.isBroken = true }
        }
    }

    /// Whether the connection can be handed out again: it is alive and outside a transaction.
    func isReusable() async -> Bool {
        guard isUsable else { return false }
        let isGood = try? await perform(isShielded: true) { wire, _ in wire.isAlive() && !wire.isInTransaction }
        return isGood ?? false
    }

    /// Later calls throw `closed`; the socket closes with the last reference.
    package func close() {
        condition.withLock { $0.isClosed = true }
    }

    // MARK: -

    private func perform<Value: Sendable>(
        isShielded: Bool = false,
        _ body: @escaping @Sendable (PostgresWire, ContinuousClock.Instant) throws -> Value
    ) async throws -> Value {
        guard condition.withLock({ !$0.isClosed }) else { throw PostgresError(.closed, "the connection is closed") }
        let call = PostgresCall()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                queue.async { [self] in continuation.resume(with: run(call, body)) }
            }
        } onCancel: {
            guard !isShielded, call.cancel() else { return }
            canceller?.cancel()
        }
    }

    /// On the queue.
    private func run<Value>(
        _ call: PostgresCall, _ body: (PostgresWire, ContinuousClock.Instant) throws -> Value
    ) -> Result<Value, any Error> {
        guard call.begin() else { return .failure(PostgresError(.cancelled, "cancelled before it was sent")) }
        guard !wire.isBroken else { return .failure(PostgresError(.connectionLost, "the connection is not usable")) }
        let result = Result { try body(wire, ContinuousClock.now + clientTimeout) }
        let wasCancelled = call.end()
        // The server may act on a cancel request at any later moment, so it could hit the next statement.
        if wasCancelled { wire.abandon() }
        if wire.isBroken { condition.withLock { $0.isBroken = true } }
        if wasCancelled, case .failure(let error) = result {
            return .failure(PostgresError(.cancelled, "the statement was cancelled", cause: error))
        }
        return result
    }
}

/// Settles the race between a call's start and end and its cancellation.
private final class PostgresCall: Sendable {
    private enum Phase { case waiting, running, cancelled, cancelledWhileRunning, ended }
    private let phase = Mutex(Phase.waiting)

    /// false when it was cancelled before.
    func begin() -> Bool {
        phase.withLock { phase in
            guard phase == .waiting else { return false }
            phase = .running
            return true
        }
    }

    /// Whether it was cancelled while it ran.
    func end() -> Bool {
        phase.withLock { phase in
            defer { phase = .ended }
            return phase == .cancelledWhileRunning
        }
    }

    /// Whether the server has to be told.
    func cancel() -> Bool {
        phase.withLock { phase in
            switch phase {
            case .waiting: phase = .cancelled
            case .running: phase = .cancelledWhileRunning
            case .cancelled, .cancelledWhileRunning, .ended: return false
            }
            return phase == .cancelledWhileRunning
        }
    }
}
