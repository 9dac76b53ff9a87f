/// One setting of a backend: what it is called, what is allowed and who sets it.
public struct BackendField: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        case text
        /// Never shown.
        case secret
        /// With one of these schemes.
        case url(schemes: [String])
        case integer(ClosedRange<Int>)
        case number(ClosedRange<Double>)
        case flag
        case choice([String])
        /// Texts separated by commas.
        case list
    }

    public enum Source: Sendable, Hashable {
        /// The operator, by this environment variable, or by the file that `<variable>_FILE` names.
        case `operator`(variable: String)
        /// The agent file, as an option of this name under `backend:`.
        case agent
    }

    /// Lower-case letters, digits and underscores.
    public var name: String
    public var kind: Kind
    public var source: Source
    /// What holds when nothing is set; nil: it must be set.
    public var defaultText: String?
    /// What it is for, in one sentence.
    public var help: String

    public init(_ name: String, _ kind: Kind, from source: Source, default defaultText: String?, help: String) {
        self.name = name
        self.kind = kind
        self.source = source
        self.defaultText = defaultText
        self.help = help
    }

    /// What is allowed, in a few words.
    public var allowed: String {
        switch kind {
        case .text: "text"
        case .secret: "secret"
        case .url(let schemes): schemes.map { "\($0)://..." }.joined(separator: " or ")
        case .integer(let range): "whole number \(range.lowerBound)...\(range.upperBound)"
        case .number(let range): "number \(range.lowerBound)...\(range.upperBound)"
        case .flag: "true or false"
        case .choice(let names): names.map { $0.isEmpty ? "nothing" : $0 }.joined(separator: " or ")
        case .list: "texts separated by commas"
        }
    }

    /// Whether `text` is a value of this kind.
    func accepts(_ text: String) -> Bool {
        switch kind {
        case .text, .secret, .list: true
        case .url(let schemes):
            schemes.contains { text.hasPrefix("\($0)://") && text.utf8.count > $0.utf8.count + 3 } && !text.contains(where: \.isWhitespace)
        case .integer(let range): Int(text).map(range.contains) ?? false
        case .number(let range): Double(text).map(range.contains) ?? false
        case .flag: text == "true" || text == "false"
        case .choice(let names): names.contains(text)
        }
    }
}

/// What is wrong with a backend or its settings.
public struct BackendError: Error, Sendable, Hashable, CustomStringConvertible {
    public var backend: String
    /// The field, as whoever sets it calls it: a variable, or an option of the agent file; empty where it is about the backend itself.
    public var field: String
    /// What is wrong and what to do.
    public var reason: String

    public init(_ backend: String, field: String = "", _ reason: String) {
        self.backend = backend
        self.field = field
        self.reason = reason
    }

    public var description: String {
        field.isEmpty ? "backend '\(backend)': \(reason)" : "backend '\(backend)': \(field) \(reason)"
    }
}
