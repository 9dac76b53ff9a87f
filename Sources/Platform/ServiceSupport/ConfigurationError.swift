/// Everything that is wrong with a service's configuration, all at once.
package struct ConfigurationError: Error, Sendable, CustomStringConvertible {
    /// One thing that is wrong.
    package struct Problem: Sendable, Equatable, CustomStringConvertible {
        /// What kind of problem, extensible.
        package struct Code: RawRepresentable, Hashable, Sendable {
            package let rawValue: String

            package init(rawValue: String) {
                self.rawValue = rawValue
            }

            /// A variable that must be set is not.
            package static let missing = Code(rawValue: "missing")
            /// A value is not what its variable allows, alone or beside others.
            package static let invalid = Code(rawValue: "invalid")
            /// The file that a `_FILE` variable names cannot be used.
            package static let unreadableFile = Code(rawValue: "unreadableFile")
            /// A variable is set both directly and as a file.
            package static let ambiguous = Code(rawValue: "ambiguous")
            /// The program asks for a variable that it has not declared.
            package static let undeclared = Code(rawValue: "undeclared")
        }

        package let code: Code
        /// The variable.
        package let variable: String
        /// What is wrong and what is allowed; never the value of a secret.
        package let message: String

        package init(_ code: Code, variable: String, message: String) {
            self.code = code
            self.variable = variable
            self.message = message
        }

        package var description: String { "\(variable) \(message)" }
    }

    package let problems: [Problem]

    package init(_ problems: [Problem]) {
        self.problems = problems
    }

    package var description: String {
        "the configuration is not usable:\n" + problems.map { "  \($0)" }.joined(separator: "\n")
    }
}
