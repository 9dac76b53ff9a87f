package import Logging

/// Words of a caller, or anything else about a person, as log metadata.
///
/// Every log handler that knows nothing of it writes a placeholder; ours writes the words only at debug level or below and only
/// when the operator asked for them (`PARLEY_LOG_PERSONAL=1`).
package struct PersonalText: CustomStringConvertible, Sendable {
    /// The words themselves.
    package let text: String

    /// Marks `text` as personal.
    package init(_ text: String) {
        self.text = text
    }

    /// Never the words.
    package var description: String { "[personal, \(text.count) characters]" }
}

extension Logger.MetadataValue {
    /// Metadata that is redacted unless personal data may be logged; see `PersonalText`.
    package static func personal(_ text: String) -> Logger.MetadataValue {
        .stringConvertible(PersonalText(text))
    }
}

extension Logger {
    /// Logs what was said, at debug level, as personal metadata under the key `words`.
    package func debugWords(_ message: Logger.Message, words: String, metadata: Logger.Metadata = [:]) {
        debug(message, metadata: metadata.merging(["words": .personal(words)]) { _, words in words })
    }
}
