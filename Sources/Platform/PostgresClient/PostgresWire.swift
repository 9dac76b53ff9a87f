import CLibPQ

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// One libpq connection: non-blocking calls with a deadline on every wait. Blocks the thread it is called on, so it is only
/// ever called on its connection's own queue.
///
/// Unchecked because the handle is a raw pointer; `PostgresConnection` calls it from one serial queue only, after which the
/// last reference frees it.
@safe final class PostgresWire: @unchecked Sendable {
    private let handle: OpaquePointer
    private let notices: NoticeSink
    /// Statement text to the name under which the server knows it.
    private var prepared: [String: String] = [:]
    private var names = 0
    /// No further use: the stream is cut, out of step, or a deadline passed in mid-answer.
    private(set) var isBroken = false

    /// Statements kept prepared; beyond that they are parsed each time.
    private static let preparedLimit = 256

    /// Connects and makes the session's settings.
    init(configuration: PostgresConfiguration, notices: NoticeSink) throws(PostgresError) {
        let deadline = ContinuousClock.now + configuration.connectTimeout
        var parameters = configuration.parameters
        parameters["application_name"] = parameters["application_name"] ?? configuration.applicationName
        parameters["client_encoding"] = "UTF8"
        guard let handle = unsafe Self.start(parameters) else {
            throw PostgresError(.unreachable, "libpq is out of memory")
        }
        unsafe self.handle = unsafe handle
        self.notices = notices
        unsafe notices.attach(to: handle)
        do throws(PostgresError) {
            try finishConnecting(to: configuration, deadline: deadline)
            unsafe PQsetnonblocking(handle, 1)
            var settings = configuration.sessionSettings
            settings["statement_timeout"] = String(configuration.statementTimeout.wholeMilliseconds)
            settings["TimeZone"] = "UTC"
            let statements = settings.sorted { $0.key < $1.key }.map { name, value in
                PostgresStatement("SELECT set_config($1, $2, false)", [.text(name), .text(value)])
            }
            _ = try pipeline(statements, deadline: deadline)
        } catch {
            isBroken = true
            throw error
        }
    }

    deinit {
        unsafe PQfinish(handle)
    }

    /// For `PQcancel`, which is the one call that may come from another thread.
    func makeCancelHandle() -> CancelHandle? {
        unsafe PQgetCancel(handle).map { unsafe CancelHandle($0) }
    }

    // MARK: - Work

    /// All statements in one round trip. They are one implicit transaction unless they hold BEGIN; the first error skips the
    /// rest and is thrown. The connection stays usable after an error of the server.
    func pipeline(_ statements: [PostgresStatement], deadline: ContinuousClock.Instant) throws(PostgresError)
        -> [PostgresRows]
    {
        guard unsafe PQenterPipelineMode(handle) == 1 else { throw lost("cannot enter pipeline mode") }
        var expected: [Expectation] = []
        do throws(PostgresError) {
            for (index, statement) in statements.enumerated() {
                try send(statement, index: index, expecting: &expected)
            }
            guard unsafe PQpipelineSync(handle) == 1 else { throw lost(serverMessage) }
        } catch {
            // Half a pipeline is queued; the stream cannot be brought back into step.
            isBroken = true
            throw error
        }
        var rows: [PostgresRows] = []
        rows.reserveCapacity(statements.count)
        var failure: PostgresError?
        for expectation in expected {
            try receive(expectation, statements: statements, rows: &rows, failure: &failure, deadline: deadline)
        }
        try receiveSync(deadline: deadline)
        if let failure {
            forgetStalePlans(after: failure)
            throw failure
        }
        return rows
    }

    /// Several statements without parameters, separated by semicolons, as one implicit transaction unless they say otherwise.
    func script(_ sql: String, deadline: ContinuousClock.Instant) throws(PostgresError) -> [PostgresRows] {
        guard unsafe PQsendQuery(handle, sql) == 1 else { throw lost(serverMessage) }
        var rows: [PostgresRows] = []
        var failure: PostgresError?
        while let result = try nextResult(deadline: deadline) {
            if let error = result.error(statement: nil) {
                failure = failure ?? error
            } else {
                rows.append(result.rows())
            }
        }
        if let failure { throw failure }
        return rows
    }

    /// Whether the connection is still good. On an idle one the server has nothing to say, except good-bye.
    func isAlive() -> Bool {
        guard !isBroken, unsafe PQstatus(handle) == CONNECTION_OK else { return false }
        var descriptor = pollfd(fd: unsafe PQsocket(handle), events: Int16(POLLIN), revents: 0)
        return unsafe poll(&descriptor, 1, 0) == 0
    }

    /// Whether a transaction is open or failed and waits for its ROLLBACK.
    var isInTransaction: Bool { unsafe PQtransactionStatus(handle) != PQTRANS_IDLE }

    func abandon() { isBroken = true }

    // MARK: - Sending

    private enum Expectation {
        case prepared(sql: String, name: String)
        case rows(index: Int)
    }

    private func send(_ statement: PostgresStatement, index: Int, expecting: inout [Expectation]) throws(PostgresError)
    {
        let packed = try PackedParameters(statement.parameters)
        var name = prepared[statement.sql] ?? pendingName(of: statement.sql, in: expecting)
        if name == nil {
            let fresh: String
            if prepared.count < Self.preparedLimit {
                names += 1
                fresh = "parley_\(names)"
            } else {
                fresh = ""
            }
            let isSent = unsafe packed.withTypes { count, types in
                unsafe PQsendPrepare(handle, fresh, statement.sql, count, types)
            }
            guard isSent == 1 else { throw lost(serverMessage) }
            expecting.append(.prepared(sql: statement.sql, name: fresh))
            name = fresh
        }
        let isSent = unsafe packed.withPointers { count, values, lengths, formats in
            unsafe PQsendQueryPrepared(handle, name ?? "", count, values, lengths, formats, 0)
        }
        guard isSent == 1 else { throw lost(serverMessage) }
        expecting.append(.rows(index: index))
    }

    /// The same statement twice in one pipeline is prepared once. The unnamed statement is overwritten by the next.
    private func pendingName(of sql: String, in expected: [Expectation]) -> String? {
        for case .prepared(sql, let name) in expected where !name.isEmpty { return name }
        return nil
    }

    // MARK: - Receiving

    private func receive(
        _ expectation: Expectation, statements: [PostgresStatement], rows: inout [PostgresRows],
        failure: inout PostgresError?, deadline: ContinuousClock.Instant
    ) throws(PostgresError) {
        guard let result = try nextResult(deadline: deadline) else { throw lost("an answer is missing") }
        if !result.wasSkipped {
            switch expectation {
            case .prepared(let sql, let name):
                if let error = result.error(statement: sql) {
                    failure = failure ?? error
                } else if !name.isEmpty {
                    prepared[sql] = name
                }
            case .rows(let index):
                if let error = result.error(statement: statements[index].sql) {
                    failure = failure ?? error
                } else {
                    rows.append(result.rows())
                }
            }
        }
        if try nextResult(deadline: deadline) != nil { throw lost("an answer came out of turn") }
    }

    private func receiveSync(deadline: ContinuousClock.Instant) throws(PostgresError) {
        guard let result = try nextResult(deadline: deadline), result.isSync else {
            throw lost("the end of a pipeline is missing")
        }
        guard unsafe PQexitPipelineMode(handle) == 1 else { throw lost(serverMessage) }
    }

    /// A plan that no longer fits the tables, or that the server forgot, is prepared anew the next time.
    private func forgetStalePlans(after failure: PostgresError) {
        guard failure.sqlState == .featureNotSupported || failure.sqlState == .invalidStatementName else { return }
        prepared.removeAll()
    }

    private func nextResult(deadline: ContinuousClock.Instant) throws(PostgresError) -> PostgresResult? {
        while true {
            let flushed = unsafe PQflush(handle)
            guard flushed >= 0 else { throw lost(serverMessage) }
            if unsafe PQisBusy(handle) == 0 {
                let result = unsafe PQgetResult(handle).map { unsafe PostgresResult($0) }
                if unsafe PQstatus(handle) != CONNECTION_OK { throw lost(serverMessage) }
                return result
            }
            let wanted = flushed == 1 ? POLLIN | POLLOUT : POLLIN
            let ready = try wait(for: wanted, deadline: deadline)
            if ready & POLLIN != 0 || ready & (POLLHUP | POLLERR) != 0 {
                guard unsafe PQconsumeInput(handle) == 1 else { throw lost(serverMessage) }
            }
        }
    }

    // MARK: - Waiting

    private func wait(for events: Int32, deadline: ContinuousClock.Instant) throws(PostgresError) -> Int32 {
        while true {
            let remaining = (deadline - ContinuousClock.now).wholeMilliseconds
            var descriptor = pollfd(fd: unsafe PQsocket(handle), events: Int16(events), revents: 0)
            let count = unsafe poll(&descriptor, 1, Int32(clamping: max(0, remaining)))
            if count > 0 { return Int32(descriptor.revents) }
            if count < 0 && errno == EINTR { continue }
            isBroken = true
            throw PostgresError(.timedOut, "the server did not answer before the deadline")
        }
    }

    private func finishConnecting(
        to configuration: PostgresConfiguration, deadline: ContinuousClock.Instant
    ) throws(PostgresError) {
        var status = PGRES_POLLING_WRITING
        while status != PGRES_POLLING_OK {
            if unsafe PQstatus(handle) == CONNECTION_BAD || status == PGRES_POLLING_FAILED {
                throw PostgresError(.unreachable, "cannot connect to \(configuration): \(serverMessage)")
            }
            do {
                _ = try wait(for: status == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline: deadline)
            } catch {
                throw PostgresError(
                    .unreachable, "\(configuration) did not answer within \(configuration.connectTimeout)")
            }
            status = unsafe PQconnectPoll(handle)
        }
    }

    private func lost(_ message: String) -> PostgresError {
        isBroken = true
        return PostgresError(.connectionLost, message)
    }

    private var serverMessage: String {
        unsafe PQerrorMessage(handle).map { unsafe String(cString: $0) }?.singleLine ?? "no reason given"
    }

    private static func start(_ parameters: [String: String]) -> OpaquePointer? {
        let names = parameters.keys.sorted()
        var keywords = unsafe names.map { unsafe UnsafePointer<CChar>(strdup($0)) }
        var values = unsafe names.map { unsafe UnsafePointer<CChar>(strdup(parameters[$0] ?? "")) }
        unsafe keywords.append(nil)
        unsafe values.append(nil)
        defer {
            unsafe (keywords + values).forEach { unsafe free(UnsafeMutablePointer(mutating: $0)) }
        }
        return unsafe PQconnectStartParams(keywords, values, 0)
    }
}
