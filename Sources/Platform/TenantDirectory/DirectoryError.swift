/// What goes wrong with tenants, API keys and agents.
package struct DirectoryError: Error, CustomStringConvertible {
    /// Kind of an error; extensible.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) { self.rawValue = rawValue }

        /// The tenant, key or agent does not exist.
        package static let notFound = Code(rawValue: "not_found")
        /// A name or definition cannot be stored.
        package static let invalid = Code(rawValue: "invalid")
        /// There is one of that name already.
        package static let exists = Code(rawValue: "exists")
        /// Nothing was ever read, and PostgreSQL does not answer.
        package static let unavailable = Code(rawValue: "unavailable")
    }

    package let code: Code
    /// What was wrong and what to do.
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        cause.map { "\(message) (\(code.rawValue): \($0))" } ?? "\(message) (\(code.rawValue))"
    }
}
