/// Why a process could not start or had to end.
package struct ServiceError: Error, Sendable, CustomStringConvertible {
    /// What happened, extensible.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// An address is in use, not this machine's, or not allowed.
        package static let cannotListen = Code(rawValue: "cannotListen")
        /// A part of the service ended although nobody asked it to.
        package static let endedUnexpectedly = Code(rawValue: "endedUnexpectedly")
    }

    package let code: Code
    /// What happened and what to do, for people.
    package let message: String
    /// The error that led to this one.
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String { message + (cause.map { " (\($0))" } ?? "") }
}
