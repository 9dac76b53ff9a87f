import Dispatch
package import Logging
import Synchronization

/// A bounded set of connections, opened on demand and replaced when they break: that is the reconnect. Waiting callers are
/// served in order, each until `acquireTimeout`; beyond `maximumWaiters` they are refused at once.
package final class PostgresPool: Sendable {
    package let configuration: PostgresConfiguration
    private let logger: Logger
    private let state: Mutex<State>

    private struct State {
        var pool: PoolState
        var connections: [Int: PostgresConnection] = [:]
        var waiting: [Int: Waiter] = [:]
        var lastNumber = 0

        mutating func number() -> Int {
            lastNumber += 1
            return lastNumber
        }

        /// Its place is reserved either way; a number without a connection stands for a place to open one in.
        func grant(of number: Int) -> Grant {
            connections[number].map { .connection(number, $0) } ?? .place
        }

        mutating func handOver(_ step: Return) -> Wake {
            let handover =
                switch step {
                case .release(let number): pool.release(number)
                case .discard: pool.discard()
                }
            switch handover {
            case .give(let number, let waiter):
                return .resume(waiting.removeValue(forKey: waiter), grant(of: number))
            case .letOpen(let waiter):
                return .resume(waiting.removeValue(forKey: waiter), .place)
            case .close(let number):
                return .close(connections.removeValue(forKey: number))
            case .none:
                return .nothing
            }
        }
    }

    private typealias Waiter = CheckedContinuation<Grant, any Error>

    private enum Grant: Sendable {
        case connection(Int, PostgresConnection)
        case place
    }

    /// What is left to do once the lock is given back.
    private enum Wake: Sendable {
        case resume(Waiter?, Grant)
        case close(PostgresConnection?)
        case nothing

        func perform() {
            switch self {
            case .resume(let waiter, let grant): waiter?.resume(returning: grant)
            case .close(let connection): connection?.close()
            case .nothing: break
            }
        }
    }

    package init(_ configuration: PostgresConfiguration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        state = Mutex(
            State(
                pool: PoolState(
                    maximum: configuration.maximumConnections, maximumWaiters: configuration.maximumWaiters)))
    }

    /// Connections in use now, and callers waiting for one.
    package var load: (leased: Int, waiting: Int) {
        state.withLock { ($0.pool.leased, $0.pool.waiting) }
    }

    /// Lends a connection for the duration of `body`. It must not be used afterwards.
    ///
    /// - Throws: `unreachable` when no connection can be opened, `poolExhausted` when none came free in time, `closed` after
    ///   `close()`, and whatever `body` throws.
    @discardableResult
    package func withConnection<Value>(_ body: (PostgresConnection) async throws -> Value) async throws -> Value {
        let (number, connection) = try await acquire()
        do {
            let value = try await body(connection)
            await giveBack(number, connection)
            return value
        } catch {
            await giveBack(number, connection)
            throw error
        }
    }

    /// `body` inside a transaction: committed when it returns, rolled back when it throws.
    @discardableResult
    package func withTransaction<Value>(_ body: (PostgresConnection) async throws -> Value) async throws -> Value {
        try await withConnection { connection in try await connection.withTransaction(body) }
    }

    /// One statement on any connection.
    @discardableResult
    package func query(_ sql: String, _ parameters: [PostgresValue] = []) async throws -> PostgresRows {
        try await withConnection { connection in try await connection.query(sql, parameters) }
    }

    /// One round trip that only succeeds when the server answers: for readiness.
    package func ping() async throws {
        try await query("SELECT 1")
    }

    /// Closes idle connections, refuses waiters, and closes the others when they come back.
    package func close() {
        let (connections, waiters) = state.withLock { state in
            let (idle, waiters) = state.pool.close()
            return (
                idle.compactMap { state.connections.removeValue(forKey: $0) },
                waiters.compactMap { state.waiting.removeValue(forKey: $0) }
            )
        }
        for connection in connections { connection.close() }
        for waiter in waiters { waiter.resume(throwing: Self.closedError) }
    }

    // MARK: -

    private static let closedError = PostgresError(.closed, "the pool is closed")

    private func acquire() async throws -> (Int, PostgresConnection) {
        while true {
            let waiter = state.withLock { $0.number() }
            switch try await wait(waiter) {
            case .connection(let number, let connection):
                if await connection.isReusable() { return (number, connection) }
                drop(number, connection)
            case .place:
                return try await open()
            }
        }
    }

    private func open() async throws -> (Int, PostgresConnection) {
        do {
            let connection = try await PostgresConnection.connect(configuration, logger: logger)
            return state.withLock { state in
                let number = state.number()
                state.connections[number] = connection
                return (number, connection)
            }
        } catch {
            handOver(.discard)
            throw error
        }
    }

    private func giveBack(_ number: Int, _ connection: PostgresConnection) async {
        if connection.isUsable { await connection.rollBack() }
        if connection.isUsable {
            handOver(.release(number))
        } else {
            drop(number, connection)
        }
    }

    private func drop(_ number: Int, _ connection: PostgresConnection) {
        connection.close()
        state.withLock { _ = $0.connections.removeValue(forKey: number) }
        handOver(.discard)
    }

    private enum Return { case release(Int), discard }

    private func handOver(_ step: Return) {
        state.withLock { $0.handOver(step) }.perform()
    }

    private func wait(_ waiter: Int) async throws -> Grant {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enqueue(waiter, continuation)
            }
        } onCancel: {
            giveUp(waiter, PostgresError(.cancelled, "cancelled while waiting for a connection"))
        }
    }

    private func enqueue(_ waiter: Int, _ continuation: Waiter) {
        let answer = state.withLock { state -> Result<Grant, any Error>? in
            // Read under the lock: a cancellation that comes later finds the waiter entered.
            if Task.isCancelled {
                return .failure(PostgresError(.cancelled, "cancelled while waiting for a connection"))
            }
            switch state.pool.request(waiter: waiter) {
            case .wait:
                state.waiting[waiter] = continuation
                return nil
            case .use(let number):
                return .success(state.grant(of: number))
            case .open:
                return .success(.place)
            case .refuse:
                return .failure(PostgresError(.poolExhausted, "too many callers wait for a connection"))
            case .closed:
                return .failure(Self.closedError)
            }
        }
        if let answer { continuation.resume(with: answer) } else { expireLater(waiter) }
    }

    /// A timer instead of a task: it may fire long after the waiter was served, and then finds nobody.
    private func expireLater(_ waiter: Int) {
        let limit = configuration.acquireTimeout
        let delay = DispatchTimeInterval.milliseconds(Int(clamping: limit.wholeMilliseconds))
        DispatchQueue.global().asyncAfter(deadline: .now() + delay) { [weak self] in
            self?.giveUp(waiter, PostgresError(.poolExhausted, "no connection came free within \(limit)"))
        }
    }

    private func giveUp(_ waiter: Int, _ error: PostgresError) {
        let continuation = state.withLock { state -> Waiter? in
            guard state.pool.forget(waiter: waiter) else { return nil }
            return state.waiting.removeValue(forKey: waiter)
        }
        continuation?.resume(throwing: error)
    }
}
