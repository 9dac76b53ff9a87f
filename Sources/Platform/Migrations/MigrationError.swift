/// Why the database could not be brought to the shape that this build needs.
package struct MigrationError: Error, CustomStringConvertible {
    /// What kind of failure it is; extensible.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) { self.rawValue = rawValue }

        /// The folder or a file in it cannot be used.
        package static let invalidFiles = Code(rawValue: "invalid_files")
        /// A file differs from what was applied under its number.
        package static let changed = Code(rawValue: "changed")
        /// A file's number is below one that was applied already.
        package static let outOfOrder = Code(rawValue: "out_of_order")
        /// The server refused a migration; it was rolled back.
        package static let failed = Code(rawValue: "failed")
        /// Another process held the lock for too long.
        package static let locked = Code(rawValue: "locked")
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
