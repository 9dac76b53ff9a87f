import PostgresClient

/// A statement that takes any number of rows as one array a column: thousands of rows cost one round trip and one plan.
struct BulkStatement<Row>: Sendable {
    /// A column of the input, with its name inside the statement.
    struct Column: Sendable {
        let name: String
        let type: String
        let value: @Sendable ([Row]) -> PostgresValue

        static func text(_ name: String, _ value: @escaping @Sendable (Row) -> String?) -> Column {
            Column(name: name, type: "text[]") { .texts($0.map(value)) }
        }

        /// From `yyyy-mm-dd`.
        static func date(_ name: String, _ value: @escaping @Sendable (Row) -> String?) -> Column {
            Column(name: name, type: "text[]::date[]") { .texts($0.map(value)) }
        }

        static func json(_ name: String, _ value: @escaping @Sendable (Row) -> String?) -> Column {
            Column(name: name, type: "text[]::jsonb[]") { .texts($0.map(value)) }
        }

        static func integer(_ name: String, _ value: @escaping @Sendable (Row) -> Int64?) -> Column {
            Column(name: name, type: "bigint[]") { .integers($0.map(value)) }
        }

        static func number(_ name: String, _ value: @escaping @Sendable (Row) -> Double?) -> Column {
            Column(name: name, type: "double precision[]") { .doubles($0.map(value)) }
        }

        static func flag(_ name: String, _ value: @escaping @Sendable (Row) -> Bool?) -> Column {
            Column(name: name, type: "boolean[]") { .bools($0.map(value)) }
        }

        /// From Unix milliseconds.
        static func time(_ name: String, _ value: @escaping @Sendable (Row) -> Int64?) -> Column {
            Column(name: name, type: "timestamptz[]") { .timestamps(milliseconds: $0.map(value)) }
        }

        static func bytes(_ name: String, _ value: @escaping @Sendable (Row) -> [UInt8]?) -> Column {
            Column(name: name, type: "bytea[]") { .byteStrings($0.map(value)) }
        }
    }

    let sql: String
    private let columns: [Column]

    /// - Parameter sql: makes the statement from the input, which can be put after FROM and is called `new`.
    init(_ columns: [Column], _ sql: (_ input: String) -> String) {
        self.columns = columns
        let arrays = columns.enumerated().map { "$\($0.offset + 1)::\($0.element.type)" }.joined(separator: ", ")
        let names = columns.map(\.name).joined(separator: ", ")
        self.sql = sql("unnest(\(arrays)) AS new (\(names))")
    }

    /// Inserts the columns under their own names.
    static func insert(into table: String, _ columns: [Column], onConflict: String = "DO NOTHING") -> BulkStatement {
        let names = columns.map(\.name).joined(separator: ", ")
        return BulkStatement(columns) { input in
            "INSERT INTO \(table) (\(names)) SELECT \(names) FROM \(input) ON CONFLICT \(onConflict)"
        }
    }

    /// nil for no rows: nothing to send.
    func statement(_ rows: [Row]) -> PostgresStatement? {
        rows.isEmpty ? nil : PostgresStatement(sql, columns.map { $0.value(rows) })
    }
}
