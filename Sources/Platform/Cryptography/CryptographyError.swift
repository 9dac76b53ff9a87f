/// Why a cryptographic operation was not done.
package struct CryptographyError: Error, Sendable, CustomStringConvertible {
    /// What happened, extensible.
    package struct Code: RawRepresentable, Hashable, Sendable {
        package let rawValue: String

        package init(rawValue: String) {
            self.rawValue = rawValue
        }

        /// The library refused; without memory or with a broken installation, never because of input.
        package static let libraryFailure = Code(rawValue: "libraryFailure")
        /// A key is too short to protect anything.
        package static let weakKey = Code(rawValue: "weakKey")
    }

    package let code: Code
    /// What happened and what to do, for people. Never holds a secret.
    package let message: String

    package init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
