/// The settings of a backend, checked against its fields: every field has a value that it allows.
public struct BackendSettings: Sendable {
    public let backend: String
    private var values: [String: String]

    init(backend: String, values: [String: String]) {
        self.backend = backend
        self.values = values
    }

    /// Reads what the operator has set.
    ///
    /// - Parameter environment: the value of a variable, also where it is in a file; nil when it is not set
    /// - Throws: the first thing that is wrong
    public init(of backend: any VoiceBackend, environment: (_ variable: String) throws -> String?) throws {
        var values: [String: String] = [:]
        for field in backend.fields {
            guard case .operator(let variable) = field.source else { continue }
            let text = try environment(variable).flatMap { $0.isEmpty ? nil : $0 } ?? field.defaultText
            values[field.name] = try Self.checked(text, field, backend.name, named: variable)
        }
        self.init(backend: backend.name, values: values)
    }

    /// These settings, with the options of an agent file.
    ///
    /// - Throws: the first thing that is wrong, also an option that the backend does not have
    public func with(options: [String: String], of backend: any VoiceBackend) throws(BackendError) -> BackendSettings {
        let fields = backend.fields.filter { $0.source == .agent }
        if let unknown = options.keys.sorted().first(where: { name in !fields.contains { $0.name == name } }) {
            let known = fields.isEmpty ? "it has no options" : "its options are \(fields.map(\.name).sorted().joined(separator: ", "))"
            throw BackendError(backend.name, field: unknown, "is not an option of this backend; \(known)")
        }
        var result = self
        for field in fields {
            result.values[field.name] = try Self.checked(options[field.name] ?? field.defaultText, field, backend.name, named: field.name)
        }
        return result
    }

    private static func checked(_ text: String?, _ field: BackendField, _ backend: String, named name: String) throws(BackendError) -> String {
        guard let text else { throw BackendError(backend, field: name, "is not set; it must be \(field.allowed) (\(field.help))") }
        guard text.isEmpty && field.defaultText == "" || field.accepts(text) else {
            let shown = field.kind == .secret ? "has a value that is not allowed" : "is '\(text)'"
            throw BackendError(backend, field: name, "\(shown); it must be \(field.allowed)")
        }
        return text
    }

    // MARK: Values

    /// The value of a field as text; empty for one that does not exist.
    public func text(_ field: String) -> String { values[field] ?? "" }
    public func integer(_ field: String) -> Int { Int(text(field)) ?? 0 }
    public func number(_ field: String) -> Double { Double(text(field)) ?? 0 }
    public func flag(_ field: String) -> Bool { text(field) == "true" }
    public func list(_ field: String) -> [String] {
        text(field).split(separator: ",").map { $0.trimmingSpaces }.filter { !$0.isEmpty }
    }
}

extension Substring {
    fileprivate var trimmingSpaces: String {
        var text = drop(while: \.isWhitespace)
        while text.last?.isWhitespace == true { text.removeLast() }
        return String(text)
    }
}
