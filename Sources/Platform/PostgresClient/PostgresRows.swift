/// The answer to one statement: its rows, and how many rows it changed.
package struct PostgresRows: Sendable {
    /// Column names, in order.
    package let columns: [String]
    /// Rows inserted, updated, deleted or selected.
    package let affected: Int
    /// The server's tag, for instance `INSERT 0 3`.
    package let tag: String
    private let cells: [String?]
    /// Kept apart from `cells`, because a statement may return rows without columns.
    package let count: Int

    init(columns: [String], cells: [String?], count: Int, affected: Int, tag: String) {
        self.columns = columns
        self.cells = cells
        self.count = count
        self.affected = affected
        self.tag = tag
    }

    func cell(row: Int, column: Int) -> String? { cells[row * columns.count + column] }
}

extension PostgresRows: RandomAccessCollection {
    package var startIndex: Int { 0 }
    package var endIndex: Int { count }
    package subscript(position: Int) -> PostgresRow { PostgresRow(rows: self, index: position) }
}

/// One row; columns are read by name or position, and errors name both.
package struct PostgresRow: Sendable {
    let rows: PostgresRows
    let index: Int

    /// - Throws: `PostgresError` with code `decoding` when there is no such column, or it is NULL, or holds something else.
    package func decode<Value: PostgresDecodable>(
        _ column: String, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value {
        guard let value = try decodeIfPresent(column, as: type) else {
            throw PostgresError(.decoding, "column '\(column)' of row \(index) is NULL, expected \(Value.postgresName)")
        }
        return value
    }

    /// nil for SQL NULL.
    ///
    /// - Throws: `PostgresError` with code `decoding` when there is no such column or it holds something else.
    package func decodeIfPresent<Value: PostgresDecodable>(
        _ column: String, as type: Value.Type = Value.self
    ) throws(PostgresError) -> Value? {
        guard let position = rows.columns.firstIndex(of: column) else {
            throw PostgresError(
                .decoding, "there is no column '\(column)' among \(rows.columns.joined(separator: ", "))")
        }
        guard let text = rows.cell(row: index, column: position) else { return nil }
        guard let value = Value(postgresText: text) else {
            throw PostgresError(
                .decoding,
                "column '\(column)' of row \(index) holds '\(text.prefix(40))', expected \(Value.postgresName)")
        }
        return value
    }

    /// The row's text cells by column position, for printing.
    package var texts: [String?] { rows.columns.indices.map { rows.cell(row: index, column: $0) } }
}
