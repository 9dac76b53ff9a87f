/// Everything this module throws: what went wrong, what the server called it, and what to do.
///
/// Messages never hold a password: connection errors name user, host, port and database only.
package struct PostgresError: Error, CustomStringConvertible {
    /// What kind of failure it is; new codes may be added, so a `switch` over it needs a `default`.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) { self.rawValue = rawValue }

        /// The URL or a setting cannot be used.
        package static let configuration = Code(rawValue: "configuration")
        /// No connection could be made.
        package static let unreachable = Code(rawValue: "unreachable")
        /// An established connection ended; whether the last commit happened is unknown.
        package static let connectionLost = Code(rawValue: "connection_lost")
        /// The server did not answer before the deadline; the connection is not used again.
        package static let timedOut = Code(rawValue: "timed_out")
        /// The task was cancelled; the server was asked to stop.
        package static let cancelled = Code(rawValue: "cancelled")
        /// The server refused a statement; `sqlState` says why.
        package static let rejected = Code(rawValue: "rejected")
        /// A parameter cannot be sent.
        package static let encoding = Code(rawValue: "encoding")
        /// A column does not hold what the caller asked for.
        package static let decoding = Code(rawValue: "decoding")
        /// No connection became free in time, or too many callers wait.
        package static let poolExhausted = Code(rawValue: "pool_exhausted")
        /// The connection or the pool was closed.
        package static let closed = Code(rawValue: "closed")
    }

    package let code: Code
    /// The server's five-character SQLSTATE, only with `rejected`.
    package let sqlState: SQLState?
    /// A sentence for the user.
    package let message: String
    /// The start of the statement that failed, without its parameters.
    package let statement: String?
    /// What caused it, where that is another error.
    package let cause: (any Error)?

    package init(
        _ code: Code, _ message: String, sqlState: SQLState? = nil, statement: String? = nil, cause: (any Error)? = nil
    ) {
        self.code = code
        self.sqlState = sqlState
        self.message = message
        self.statement = statement.map { String($0.prefix(Self.statementLimit)) }
        self.cause = cause
    }

    /// Characters of a statement kept in an error: enough to recognise it in a log.
    private static let statementLimit = 200

    package var description: String {
        var text = "PostgreSQL \(code.rawValue)"
        if let sqlState { text += " \(sqlState.rawValue)" }
        text += ": \(message)"
        if let statement { text += " [\(statement)]" }
        if let cause { text += " (\(cause))" }
        return text
    }

    /// Whether the same work may succeed later without anybody changing anything: the server is away, restarting, out of
    /// resources, or two transactions collided.
    package var isTransient: Bool {
        switch code {
        case .unreachable, .connectionLost, .timedOut, .poolExhausted: true
        case .rejected: sqlState?.isTransient ?? false
        default: false
        }
    }
}

/// The server's error code (PostgreSQL manual, appendix A).
package struct SQLState: RawRepresentable, Hashable, Sendable {
    package let rawValue: String

    package init(rawValue: String) { self.rawValue = rawValue }

    package static let uniqueViolation = SQLState(rawValue: "23505")
    package static let undefinedTable = SQLState(rawValue: "42P01")
    package static let duplicateObject = SQLState(rawValue: "42710")
    package static let insufficientPrivilege = SQLState(rawValue: "42501")
    package static let queryCanceled = SQLState(rawValue: "57014")
    /// A cached plan no longer fits the tables: prepare again.
    package static let featureNotSupported = SQLState(rawValue: "0A000")
    /// The prepared statement is gone, for instance behind a connection pooler.
    package static let invalidStatementName = SQLState(rawValue: "26000")

    /// Classes 08 (connection), 40 (rollback, deadlock), 53 (resources), 55P03 (lock), 57 (operator intervention), 58 (system).
    package var isTransient: Bool {
        switch rawValue.prefix(2) {
        case "08", "40", "53", "57", "58": true
        default: rawValue == "55P03"
        }
    }
}
