/// Why an operation was given up, or not even begun.
package struct ResilienceError: Error, Sendable, CustomStringConvertible {
    /// What happened, extensible.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The operation took longer than its deadline allows and was cancelled.
        package static let deadlineExceeded = Code(rawValue: "deadlineExceeded")
        /// The circuit breaker is open: the operation was not tried because it has been failing.
        package static let circuitOpen = Code(rawValue: "circuitOpen")
        /// As many operations as allowed are running and waiting: this one was not tried.
        package static let overloaded = Code(rawValue: "overloaded")
    }

    package let code: Code
    /// The operation, as its caller named it.
    package let subject: String
    /// What happened, for people.
    package let message: String
    /// When trying again may help, from now; nil when unknown.
    package let retryAfter: Duration?
    /// The error that led to this one.
    package let cause: (any Error)?

    package init(_ code: Code, subject: String, message: String, retryAfter: Duration? = nil, cause: (any Error)? = nil)
    {
        self.code = code
        self.subject = subject
        self.message = message
        self.retryAfter = retryAfter
        self.cause = cause
    }

    package var description: String {
        "\(subject): \(message)" + (cause.map { " (\($0))" } ?? "")
    }
}
