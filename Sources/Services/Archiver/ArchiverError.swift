/// What keeps the archiver from storing.
package struct ArchiverError: Error, CustomStringConvertible {
    /// Kind of an error; extensible.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) { self.rawValue = rawValue }

        /// Redis answered with something else than a stream.
        package static let unexpectedReply = Code(rawValue: "unexpected_reply")
        /// The database lacks what this build writes.
        package static let notMigrated = Code(rawValue: "not_migrated")
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
