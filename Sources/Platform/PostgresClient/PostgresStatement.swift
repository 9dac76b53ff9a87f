/// A statement with its parameters, `$1` being the first. The text is the key of the prepared-statement cache, so values
/// belong into parameters for speed as well as for safety.
package struct PostgresStatement: Sendable {
    package let sql: String
    package let parameters: [PostgresValue]

    package init(_ sql: String, _ parameters: [PostgresValue] = []) {
        self.sql = sql
        self.parameters = parameters
    }
}
