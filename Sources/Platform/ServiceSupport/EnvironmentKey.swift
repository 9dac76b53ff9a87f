/// One environment variable that a service reads: its name, type, default and meaning.
///
/// `PARLEY_X` may also be given as `PARLEY_X_FILE`, the path of a file that holds the value, as container secrets are.
package struct EnvironmentKey<Value: Sendable>: Sendable {
    /// The variable, `PARLEY_...`.
    package let name: String
    /// What is allowed, in a few words: `port`, `duration`, `json or text`.
    package let type: String
    /// What the variable would have to say for the default; nil when it must be set.
    package let defaultText: String?
    /// What it is for, in one sentence.
    package let help: String
    /// Whether the value must never be shown.
    package let isSecret: Bool
    // Nil when the text is not what `type` says.
    let parse: @Sendable (String) -> Value?

    /// A variable of a type of its own.
    ///
    /// - Parameters:
    ///   - type: what is allowed, in a few words, for help and errors.
    ///   - defaultText: used when the variable is not set or empty; nil when it must be set. It must be parseable.
    ///   - parse: the value that a text stands for, nil when the text is not allowed.
    package init(
        _ name: String, type: String, default defaultText: String?, help: String, isSecret: Bool = false,
        parse: @escaping @Sendable (String) -> Value?
    ) {
        self.name = name
        self.type = type
        self.defaultText = defaultText
        self.help = help
        self.isSecret = isSecret
        self.parse = parse
    }

    /// The same variable, which may be left out; its value is nil then.
    package var optional: EnvironmentKey<Value?> {
        let parse = parse
        return EnvironmentKey<Value?>(name, type: type, default: "", help: help, isSecret: isSecret) { text in
            text.isEmpty ? .some(nil) : parse(text).map { .some($0) }
        }
    }

    /// This key without its type, to be listed with others.
    package var declaration: EnvironmentDeclaration {
        let parse = parse
        return EnvironmentDeclaration(
            name: name, type: type, defaultText: defaultText, help: help, isSecret: isSecret, parse: { parse($0) })
    }
}

/// An `EnvironmentKey` without its type, for the list of all that a service reads.
package struct EnvironmentDeclaration: Sendable {
    package let name: String
    package let type: String
    package let defaultText: String?
    package let help: String
    package let isSecret: Bool
    let parse: @Sendable (String) -> (any Sendable)?

    /// The default as help shows it.
    package var shownDefault: String {
        switch defaultText {
        case nil: "required"
        case "": "none"
        case let text?: isSecret ? "[secret]" : text
        }
    }
}
