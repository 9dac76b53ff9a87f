import CLibPQ

/// One PGresult, freed with its last reference; never leaves the connection's queue.
@safe final class PostgresResult {
    private let handle: OpaquePointer

    init(_ handle: OpaquePointer) {
        unsafe self.handle = unsafe handle
    }

    deinit {
        unsafe PQclear(handle)
    }

    /// An earlier statement of the same pipeline failed.
    var wasSkipped: Bool { unsafe PQresultStatus(handle) == PGRES_PIPELINE_ABORTED }

    var isSync: Bool { unsafe PQresultStatus(handle) == PGRES_PIPELINE_SYNC }

    /// The server's error, nil for a good result.
    func error(statement: String?) -> PostgresError? {
        switch unsafe PQresultStatus(handle) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY, PGRES_PIPELINE_SYNC:
            return nil
        case PGRES_FATAL_ERROR, PGRES_BAD_RESPONSE, PGRES_NONFATAL_ERROR:
            var message = field(Diagnostic.primary) ?? "no reason given"
            if let detail = field(Diagnostic.detail) { message += "; \(detail)" }
            if let hint = field(Diagnostic.hint) { message += "; \(hint)" }
            return PostgresError(
                .rejected, message, sqlState: field(Diagnostic.sqlState).map(SQLState.init(rawValue:)),
                statement: statement)
        default:
            return PostgresError(
                .rejected, "statements of this kind (COPY) are not supported here", statement: statement)
        }
    }

    /// Copies everything out.
    func rows() -> PostgresRows {
        let columnCount = unsafe PQnfields(handle)
        let rowCount = unsafe PQntuples(handle)
        var columns: [String] = []
        for column in 0..<columnCount {
            columns.append(unsafe PQfname(handle, column).map { unsafe String(cString: $0) } ?? "")
        }
        var cells: [String?] = []
        cells.reserveCapacity(Int(columnCount) * Int(rowCount))
        for row in 0..<rowCount {
            for column in 0..<columnCount { cells.append(cell(row: row, column: column)) }
        }
        return PostgresRows(
            columns: columns, cells: cells, count: Int(rowCount),
            affected: unsafe PQcmdTuples(handle).flatMap { Int(unsafe String(cString: $0)) } ?? 0,
            tag: unsafe PQcmdStatus(handle).map { unsafe String(cString: $0) } ?? "")
    }

    private func cell(row: Int32, column: Int32) -> String? {
        guard unsafe PQgetisnull(handle, row, column) == 0, let start = unsafe PQgetvalue(handle, row, column) else {
            return nil
        }
        let length = Int(unsafe PQgetlength(handle, row, column))
        let bytes = unsafe UnsafeRawBufferPointer(start: start, count: length)
        return unsafe String(decoding: bytes, as: UTF8.self)
    }

    private func field(_ code: Int32) -> String? {
        unsafe PQresultErrorField(handle, code).map { unsafe String(cString: $0) }
    }
}

/// libpq's `PG_DIAG_...`: character constants, which Swift does not import.
private enum Diagnostic {
    static let sqlState = Int32(UInt8(ascii: "C"))
    static let primary = Int32(UInt8(ascii: "M"))
    static let detail = Int32(UInt8(ascii: "D"))
    static let hint = Int32(UInt8(ascii: "H"))
}
